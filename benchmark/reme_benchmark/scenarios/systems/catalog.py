"""The systems that there are, read from this package's data."""

from functools import cache
from importlib import resources
from typing import Any

import yaml

from reme_benchmark.scenarios.systems.model import System

_NAMES = ("simple-micro", "online-boutique", "train-ticket")


def names() -> tuple[str, ...]:
    """Return the names of all systems, the smallest first."""
    return _NAMES


@cache
def load(name: str) -> System:
    """Return a system.

    Raises:
        ValueError: there is none of that name; the message lists those there are.
    """
    if name not in _NAMES:
        raise ValueError(f"no system {name!r}; there are {', '.join(_NAMES)}")
    content = data(f"{name}.yaml")
    defaults = content.pop("defaults", {})
    services = [
        {"name": service, **defaults, **(given or {})}
        for service, given in content.pop("services").items()
    ]
    return System.model_validate({"name": name, **content, "services": services})


def data(file: str) -> dict[str, Any]:
    """Return the content of a data file of this package."""
    text = (resources.files("reme_benchmark.scenarios.systems") / "data" / file).read_text()
    content: dict[str, Any] = yaml.safe_load(text)
    return content
