"""Reads JSON of the API server without trusting its shape: missing or wrong parts are empty."""

from collections.abc import Mapping
from typing import Any


def at(value: Any, *path: str) -> Any:
    """Return the value at the path of keys, or None."""
    for key in path:
        # Nearly all values are dicts, and the check for one is much faster.
        if type(value) is not dict and not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def mapping(value: Any, *path: str) -> Mapping[str, Any]:
    """Return the object at the path, or an empty one."""
    inner = at(value, *path)
    return inner if type(inner) is dict or isinstance(inner, Mapping) else {}


def items(value: Any, *path: str) -> list[Mapping[str, Any]]:
    """Return the objects of the list at the path, without its other entries."""
    inner = at(value, *path)
    if not isinstance(inner, list | tuple):
        return []
    return [entry for entry in inner if type(entry) is dict or isinstance(entry, Mapping)]


def text(value: Any, *path: str) -> str:
    """Return the string at the path, or an empty one."""
    inner = at(value, *path)
    return inner if isinstance(inner, str) else ""


def number(value: Any, *path: str, default: int = 0) -> int:
    """Return the integer at the path, or the default."""
    inner = at(value, *path)
    return inner if isinstance(inner, int) and not isinstance(inner, bool) else default


def strings(value: Any, *path: str) -> dict[str, str]:
    """Return the object at the path, with its string values only."""
    return {k: v for k, v in mapping(value, *path).items() if isinstance(v, str)}


def by_name(value: Any, *path: str, name: str) -> Mapping[str, Any]:
    """Return the object of that name in the list at the path, or an empty one."""
    return next((entry for entry in items(value, *path) if entry.get("name") == name), {})
