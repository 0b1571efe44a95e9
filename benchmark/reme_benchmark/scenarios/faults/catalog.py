"""The faults, as their files say: one directory each, loaded once."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import yaml
from pydantic import ValidationError

from reme_benchmark.scenarios.faults.model import Fault

DATA = Path(__file__).parent / "data"


class CatalogError(Exception):
    """A fault's file cannot be used, or there is no fault of that name."""


def read(directory: Path) -> Fault:
    """Read one fault.

    Raises:
        CatalogError: the file is missing, is no YAML, or does not say what a fault must.
    """
    path = directory / "fault.yaml"
    try:
        fault = Fault.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise CatalogError(f"{path}: {error}") from error
    if fault.id != directory.name:
        raise CatalogError(f"{path}: the fault calls itself {fault.id}")
    return fault


@cache
def faults() -> Mapping[str, Fault]:
    """Return all faults by id, in the order of their ids.

    Raises:
        CatalogError: one of the files cannot be used.
    """
    catalog = (read(path.parent) for path in sorted(DATA.glob("*/fault.yaml")))
    return MappingProxyType({fault.id: fault for fault in catalog})


def fault(name: str) -> Fault:
    """Return one fault.

    Raises:
        CatalogError: there is none of that name.
    """
    entry = faults().get(name)
    if entry is None:
        raise CatalogError(f"there is no fault {name!r}: {', '.join(faults())}")
    return entry


def real(among: Iterable[Fault] | None = None) -> tuple[Fault, ...]:
    """Return the faults that are to be repaired: all but those that are only controls."""
    chosen = faults().values() if among is None else among
    return tuple(each for each in chosen if not each.control)
