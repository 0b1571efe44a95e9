"""Objects as fields: `spec.template.spec.containers[web].image` and what it holds.

Lists whose entries have a key are told apart by it, not by their place; other lists are one
value, since moving an argument changes the command. Amounts are compared, not their spelling.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reme_playbook.snapshot import quantity

Path = tuple[str, ...]

_KEYS: Mapping[str, tuple[str, ...]] = {
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "ports": ("name", "containerPort", "port"),
    "taints": ("key", "effect"),
    "tolerations": ("key", "effect"),
    "topologySpreadConstraints": ("topologyKey",),
    "matchExpressions": ("key",),
    "hostAliases": ("ip",),
}
_FLAT = frozenset(
    {
        "annotations",
        "binaryData",
        "data",
        "hard",
        "labels",
        "limits",
        "matchLabels",
        "nodeSelector",
        "requests",
        "stringData",
    }
)
"""Maps whose keys are names of their own and may hold dots."""
_AMOUNTS = frozenset(("limits", "requests", "hard", "capacity", "default", "defaultRequest"))
_SIMPLE = re.compile(r"[A-Za-z0-9_-]+")
_STEP = re.compile(r"\[([^\]]*)\]|([^.\[\]]+)")


def flatten(value: Any, path: Path = ()) -> dict[Path, Any]:
    """Return every leaf of an object by its path; what is empty is as good as absent."""
    return dict(_leaves(value, path))


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping):
        for key in sorted(value):
            yield from _leaves(value[key], (*path, str(key)))
        return
    name = path[-1] if path else ""
    if isinstance(value, list | tuple):
        marks = _marks(value, name)
        if marks:
            for mark, entry in zip(marks, value, strict=True):
                # The entry itself is a leaf: one that says nothing but its name is still there.
                yield (*path, mark), _told_by(entry, name)
                rest = {k: v for k, v in entry.items() if k not in _told_by(entry, name)}
                yield from _leaves(rest, (*path, mark))
        elif value:
            yield path, list(value)
        return
    if value is not None and value != "":
        yield path, amount(path, value)
    elif value == "" and name == "value":
        yield path, ""  # an empty variable is set, and hides a default


def _told_by(entry: Mapping[str, Any], name: str) -> dict[str, Any]:
    keys = _KEYS.get(name, ("name",))
    if name == "ports":
        keys = next(((k,) for k in keys if entry.get(k) not in (None, "")), ())
    return {k: entry[k] for k in keys if entry.get(k) not in (None, "")}


def _marks(entries: Sequence[Any], name: str) -> list[str] | None:
    """Return a key for each entry, or nothing when they have none or share it."""
    if not entries or not all(isinstance(e, Mapping) for e in entries):
        return None
    marks = [":".join(str(v) for v in _told_by(e, name).values()) for e in entries]
    return marks if all(marks) and len(set(marks)) == len(marks) else None


def amount(path: Path, value: Any) -> Any:
    """Return an amount in its one canonical spelling, anything else as it is."""
    measured = (len(path) > 1 and path[-2] in _AMOUNTS) or path[-1:] == ("sizeLimit",)
    if not measured or not isinstance(value, str | int):
        return value
    try:
        if path[-1].endswith("cpu"):
            return quantity.format_cpu(quantity.cpu_millicores(str(value)))
        return quantity.format_memory(quantity.memory_bytes(str(value)))
    except ValueError:
        return value


def number(value: Any) -> float | None:
    """Return a number or an amount as a number, in cores or bytes; nothing if it is neither."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str):
        return None
    try:
        # Thousandths are exact for both: no amount of memory has a smaller part.
        return quantity.cpu_millicores(value) / 1000
    except ValueError:
        return None


def parse(text: str) -> Path:
    """Return the steps of a dotted path, with or without brackets around names."""
    steps: list[str] = []
    place = 0
    while found := _STEP.search(text, place):
        bracketed = found[1] is not None
        if not bracketed and steps and steps[-1] in _FLAT:
            # The rest is one name: labels.app.kubernetes.io/name
            return (*steps, text[found.start() :])
        steps.append(found[1] if bracketed else found[2])
        place = found.end()
    return tuple(steps)


def dotted(path: Path) -> str:
    """Return the path as people write it."""
    text = ""
    for place, step in enumerate(path):
        plain = _SIMPLE.fullmatch(step) and not _keyed(path, place)
        text += f".{step}" if plain else f"[{step}]"
    return text.removeprefix(".")


def _keyed(path: Path, place: int) -> bool:
    """Whether a step is the key of a list's entry; only their names tell, in a bare path."""
    above = path[place - 1] if place else ""
    return above in _LISTS


_LISTS = frozenset(_KEYS) | {
    "containers",
    "env",
    "ephemeralContainers",
    "imagePullSecrets",
    "initContainers",
    "volumes",
}


def covers(pattern: Path, path: Path) -> bool:
    """Whether a pattern names the field or something that holds it; `*` is any name."""
    return len(pattern) <= len(path) and all(
        wanted in ("*", step) for wanted, step in zip(pattern, path, strict=False)
    )


def read(value: Any, path: Path) -> Any:
    """Return what a field holds, or nothing."""
    for place, step in enumerate(path):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list | tuple):
            name = path[place - 1] if place else ""
            marks = _marks(value, name) or [str(i) for i in range(len(value))]
            value = next((e for m, e in zip(marks, value, strict=True) if m == step), None)
        else:
            return None
    return amount(path, value)


def shown(value: Any) -> str:
    """Return a value for people: texts as they are, the rest as JSON, nothing as nothing."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= 300 else f"{text[:299]}…"
