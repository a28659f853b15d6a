"""The page in a real browser; skipped where there is none."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest

Render = Callable[..., str]
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium on PATH")
PHONE, DESK = (360, 740), (1280, 900)
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}"
PROBE = """<script>
addEventListener("load", () => {
  const root = document.documentElement;
  const colours = () => [getComputedStyle(root).backgroundColor, getComputedStyle(root).color,
    getComputedStyle(document.querySelector(".plot .organism use")).fill];
  const hover = new PointerEvent("pointerover", { bubbles: true });
  document.querySelector(".point").dispatchEvent(hover);
  const before = colours();
  document.getElementById("theme").click();
  const found = {
    width: innerWidth, content: root.scrollWidth, images: document.images.length,
    scripts: document.scripts.length, requests: performance.getEntriesByType("resource").length,
    colours: [before, colours()], tip: document.querySelector(".tip").textContent,
    answer: document.querySelector(".cards").getBoundingClientRect().bottom,
  };
  const all = JSON.parse(parent.document.documentElement.dataset.probe || "[]");
  all[Number(window.name)] = found;
  parent.document.documentElement.dataset.probe = JSON.stringify(all);
});
</script></body>"""


def browse(folder: Path, *pages: tuple[str, tuple[int, int], str]) -> tuple[list[Any], list[str]]:
    """Load pages side by side, in frames; give what each one's probe saw, and the console.

    A browser's window cannot be made as narrow as a phone; a frame lays out and answers media
    queries as a window of its size would.
    """
    frames = [
        f'<iframe name="{index}" width="{width}" height="{height}" style="border:0" srcdoc="'
        + escape(page.replace("</body>", probe))
        + '"></iframe>'
        for index, (page, (width, height), probe) in enumerate(pages)
    ]
    frame = folder / "frames.html"
    frame.write_text(f"<!DOCTYPE html><title>frames</title>{''.join(frames)}", encoding="utf-8")
    assert BROWSER
    done = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--user-data-dir={folder / 'profile'}",
            "--enable-logging=stderr",
            "--v=0",
            "--window-size=1400,2000",
            "--virtual-time-budget=2000",
            "--dump-dom",
            frame.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = re.search(r'data-probe="([^"]*)"', done.stdout)
    seen = json.loads(unescape(found[1])) if found else []
    return seen, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def brightness(colour: str) -> float:
    """Give the mean of a computed colour's three parts, 0 to 255."""
    return sum(float(part) for part in re.findall(r"[\d.]+", colour)[:3]) / 3


def test_the_page_loads_quietly_alone_and_within_a_phone(
    markup: str, page_of: Render, tmp_path: Path
) -> None:
    evil, seeds = page_of(evil=EVIL), page_of(seeds=(0, 1))
    sizes = ((markup, PHONE), (evil, PHONE), (seeds, PHONE), (markup, DESK))
    seen, console = browse(tmp_path, *((page, size, PROBE) for page, size in sizes))
    assert console == []
    assert [one["width"] for one in seen] == [360, 360, 360, 1280]
    for one in seen:
        assert one["content"] <= one["width"]
        assert (one["images"], one["scripts"], one["requests"]) == (0, 2, 0)
        assert "measurements.jsonl, line" in one["tip"]
        light, dark = sorted(one["colours"], key=lambda colours: -brightness(colours[0]))
        assert brightness(light[0]) - brightness(light[1]) > 150
        assert brightness(dark[1]) - brightness(dark[0]) > 150
        assert light[2] != dark[2]
    # On a desk the headline and every method's verdict are seen without scrolling.
    assert seen[3]["answer"] <= DESK[1]


def test_errors_requests_and_overflow_would_be_noticed(markup: str, tmp_path: Path) -> None:
    seen, console = browse(
        tmp_path,
        (markup, PHONE, f'<div style="width:3000px">wide</div>{PROBE}'),
        (markup, PHONE, '<script>throw new Error("noticed")</script></body>'),
        (markup, PHONE, '<img src="http://127.0.0.1:9/leak.png"></body>'),
    )
    assert seen[0]["content"] > seen[0]["width"]
    assert any("noticed" in line for line in console)
    assert any("Content Security Policy" in line for line in console)
