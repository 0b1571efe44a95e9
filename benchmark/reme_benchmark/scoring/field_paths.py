"""Addresses fields of objects by paths such as `spec.template.spec.containers[web].image`.

Entries of lists are identified by their keys, as `reme_playbook.snapshot.list_keys` defines them; a
list without keys is one value. Quantities are compared by amount, not by spelling.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from reme_playbook.snapshot import quantity
from reme_playbook.snapshot.list_keys import LIST_KEYS, NAMED_MAPS, entry_keys, entry_marks

Path = tuple[str, ...]

_NAMED_MAPS = NAMED_MAPS | {"limits", "requests"}
_KEYED_LISTS = LIST_KEYS.keys() | {"ports"}
_QUANTITIES = frozenset(("limits", "requests", "hard", "capacity", "default", "defaultRequest"))
_SIMPLE = re.compile(r"[A-Za-z0-9_-]+")
_STEP = re.compile(r"\[([^\]]*)\]|([^.\[\]]+)")


def flatten(value: Any, path: Path = ()) -> dict[Path, Any]:
    """Return every leaf of an object by its path. An empty value counts as absent."""
    return dict(_leaves(value, path))


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping):
        for key in sorted(value):
            yield from _leaves(value[key], (*path, str(key)))
        return
    name = path[-1] if path else ""
    if isinstance(value, list | tuple):
        if marks := entry_marks(name, value):
            for mark, entry in zip(marks, value, strict=True):
                keys = entry_keys(name, entry)
                # The keys are a leaf too: an entry that has nothing else still exists.
                yield (*path, mark), {key: entry[key] for key in keys}
                rest = {k: v for k, v in entry.items() if k not in keys}
                yield from _leaves(rest, (*path, mark))
        elif value:
            yield path, list(value)
        return
    if value is not None and value != "":
        yield path, amount(path, value)
    elif value == "" and name == "value":
        yield path, ""  # an empty variable is set, and overrides a default


def amount(path: Path, value: Any) -> Any:
    """Return a quantity in its canonical spelling, any other value as it is."""
    is_quantity = (len(path) > 1 and path[-2] in _QUANTITIES) or path[-1:] == ("sizeLimit",)
    if not is_quantity or not isinstance(value, str | int):
        return value
    try:
        if path[-1].endswith("cpu"):
            return quantity.format_cpu(quantity.cpu_millicores(str(value)))
        return quantity.format_memory(quantity.memory_bytes(str(value)))
    except ValueError:
        return value


def number(value: Any) -> float | None:
    """Return a number or quantity as a number, in cores or bytes; None if it is neither."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str):
        return None
    try:
        # Millicores are exact for memory too: no quantity of bytes has a smaller part.
        return quantity.cpu_millicores(value) / 1000
    except ValueError:
        return None


def parse(text: str) -> Path:
    """Return the steps of a dotted path, with or without brackets around names."""
    steps: list[str] = []
    place = 0
    while match := _STEP.search(text, place):
        bracketed = match[1] is not None
        if not bracketed and steps and steps[-1] in _NAMED_MAPS:
            # The rest is one name, such as in labels.app.kubernetes.io/name.
            return (*steps, text[match.start() :])
        steps.append(match[1] if bracketed else match[2])
        place = match.end()
    return tuple(steps)


def dotted(path: Path) -> str:
    """Return the path as text."""
    text = ""
    for place, step in enumerate(path):
        in_list = place > 0 and path[place - 1] in _KEYED_LISTS
        text += f".{step}" if _SIMPLE.fullmatch(step) and not in_list else f"[{step}]"
    return text.removeprefix(".")


def covers(pattern: Path, path: Path) -> bool:
    """Whether a pattern names the field or one of its parents; `*` stands for any name."""
    return len(pattern) <= len(path) and all(
        expected in ("*", step) for expected, step in zip(pattern, path, strict=False)
    )


def read(value: Any, path: Path) -> Any:
    """Return the value of a field, or None."""
    for place, step in enumerate(path):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list | tuple):
            name = path[place - 1] if place else ""
            marks = entry_marks(name, value) or [str(i) for i in range(len(value))]
            value = next((e for m, e in zip(marks, value, strict=True) if m == step), None)
        else:
            return None
    return amount(path, value)


def shown(value: Any) -> str:
    """Return a value as text: strings as they are, other values as JSON, None as empty."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= 300 else f"{text[:299]}…"
