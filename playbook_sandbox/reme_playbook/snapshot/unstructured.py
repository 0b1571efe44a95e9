"""Reads JSON of the API server without trusting its shape: what is missing or odd is empty."""

from collections.abc import Mapping
from typing import Any


def at(value: Any, *path: str) -> Any:
    """Return what lies at the path of keys, or None."""
    for key in path:
        # Nearly all that is read is a dict, and asking for one is much quicker.
        if type(value) is not dict and not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def mapping(value: Any, *path: str) -> Mapping[str, Any]:
    """Return the object at the path, or an empty one."""
    found = at(value, *path)
    return found if type(found) is dict or isinstance(found, Mapping) else {}


def items(value: Any, *path: str) -> list[Mapping[str, Any]]:
    """Return the objects of the list at the path, without anything else that is in it."""
    found = at(value, *path)
    if not isinstance(found, list | tuple):
        return []
    return [x for x in found if type(x) is dict or isinstance(x, Mapping)]


def text(value: Any, *path: str) -> str:
    """Return the string at the path, or an empty one."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def number(value: Any, *path: str, default: int = 0) -> int:
    """Return the integer at the path, or the default."""
    found = at(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def strings(value: Any, *path: str) -> dict[str, str]:
    """Return the object at the path with only those of its values that are strings."""
    return {k: v for k, v in mapping(value, *path).items() if isinstance(v, str)}


def by_name(value: Any, *path: str, name: str) -> Mapping[str, Any]:
    """Return the object of that name in the list at the path, or an empty one."""
    return next((x for x in items(value, *path) if x.get("name") == name), {})
