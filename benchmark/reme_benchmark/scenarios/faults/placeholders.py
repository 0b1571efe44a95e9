"""Fills `${name}` in a fault's data with parameters of the case and facts of its target.

All arithmetic that faults need is done here, under a name: their data holds no expressions.
"""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from reme_benchmark.scenarios.faults.facts import case_values, values

__all__ = ["FillError", "case_values", "fill", "filled", "placeholders", "values"]

_PLACEHOLDER = re.compile(r"\$\$|\$\{([^}]*)\}|\$")
_Model = TypeVar("_Model", bound=BaseModel)


class FillError(ValueError):
    """A placeholder has no value; the message names it and the fault."""


def fill(data: Any, values: Mapping[str, Any], fault: str = "") -> Any:
    """Return the data with every `${name}` replaced, in keys too; `$$` becomes `$`.

    A text that is one placeholder becomes the value itself, with its type.

    Raises:
        FillError: a name has no value.
    """
    if isinstance(data, str):
        return _text(data, values, fault)
    if isinstance(data, Mapping):
        return {
            str(_text(key, values, fault)) if isinstance(key, str) else key: fill(
                inner, values, fault
            )
            for key, inner in data.items()
        }
    if isinstance(data, list | tuple):
        return [fill(inner, values, fault) for inner in data]
    return data


def filled(model: _Model, values: Mapping[str, Any], fault: str = "") -> _Model:
    """Return a part of a fault with every placeholder replaced.

    Raises:
        FillError: a name has no value.
    """
    return type(model).model_validate(fill(model.model_dump(), values, fault))


def placeholders(data: Any) -> set[str]:
    """Return the names of all placeholders in the data."""
    if isinstance(data, str):
        return {match[1] for match in _PLACEHOLDER.finditer(data) if match[1] is not None}
    if isinstance(data, Mapping):
        return {n for pair in data.items() for part in pair for n in placeholders(part)}
    if isinstance(data, list | tuple):
        return {name for inner in data for name in placeholders(inner)}
    return set()


def _text(text: str, values: Mapping[str, Any], fault: str) -> Any:
    whole = _PLACEHOLDER.fullmatch(text)
    if whole and whole[1] is not None:
        return _value(whole[1], values, fault)

    def one(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        if match[1] is None:
            raise FillError(f"{_of(fault)}a single $ in {text[:80]!r}: write $$")
        return str(_value(match[1], values, fault))

    return _PLACEHOLDER.sub(one, text)


def _value(name: str, values: Mapping[str, Any], fault: str) -> Any:
    if name not in values:
        raise FillError(f"{_of(fault)}${{{name}}} has no value for this target")
    return values[name]


def _of(fault: str) -> str:
    return f"fault {fault}: " if fault else ""
