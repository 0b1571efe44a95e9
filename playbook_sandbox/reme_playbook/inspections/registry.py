"""All inspections: the classes by name, how plain data becomes one, and what a cluster allows.

Every module of this package is imported here, so that a new inspection only needs its own file.
"""

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from itertools import islice, zip_longest
from typing import Any

from pydantic import ValidationError

from reme_api.investigation import InspectionName
from reme_playbook import inspections
from reme_playbook.inspections.base import CLASSES, Inspection
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot

for _module in pkgutil.iter_modules(inspections.__path__):
    importlib.import_module(f"{inspections.__name__}.{_module.name}")

PUBLIC: Mapping[InspectionName, type[Inspection]] = {
    name: CLASSES[name] for name in InspectionName if name in CLASSES
}
"""The inspection that coordinators may ask for under each name."""

MAX_CANDIDATES = 48
"""Maximum of inspections that are offered for one cluster: a grammar of them stays small."""
MAX_CANDIDATES_OF_ONE = 12


def parse(
    name: str, subject: ObjectRef | Mapping[str, Any], arguments: Mapping[str, Any]
) -> Inspection:
    """Return the inspection of that name.

    Raises:
        ValueError: there is none of that name, or the arguments do not fit.

    """
    inspection = next((cls for known, cls in PUBLIC.items() if known == name), None)
    if inspection is None:
        raise ValueError("there is no inspection of that name")
    try:
        if not isinstance(subject, ObjectRef):
            subject = ObjectRef(**{"namespace": "", **subject})
        return inspection.model_validate({**arguments, "subject": subject})
    except (ValidationError, TypeError) as error:
        raise ValueError(f"the arguments do not fit {name}") from error


def all_candidates(snapshot: ClusterSnapshot) -> tuple[Inspection, ...]:
    """Return what may be inspected in this cluster, at most 48, by name and then by usefulness.

    If there are more, each name keeps its most useful ones.
    """
    by_name = [
        list(islice(dict.fromkeys(inspection.candidates(snapshot)), MAX_CANDIDATES_OF_ONE))
        for inspection in PUBLIC.values()
    ]
    ranks = zip_longest(*by_name)
    selected = set(islice(_present(ranks), MAX_CANDIDATES))
    return tuple(one for candidates in by_name for one in candidates if one in selected)


def _present(ranks: Iterable[tuple[Inspection | None, ...]]) -> Iterable[Inspection]:
    return (one for rank in ranks for one in rank if one is not None)


__all__ = [
    "PUBLIC",
    "Inspection",
    "InspectionName",
    "all_candidates",
    "parse",
]
