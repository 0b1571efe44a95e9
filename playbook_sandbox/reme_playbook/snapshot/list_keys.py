"""How the API identifies entries of lists and maps: one table for all comparisons and patches."""

from collections.abc import Mapping, Sequence
from typing import Any

LIST_KEYS: Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "imagePullSecrets": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "taints": ("key", "effect"),
    "tolerations": ("key", "effect"),
    "topologySpreadConstraints": ("topologyKey",),
}
"""The fields that together identify an entry of a list, by the name of the list.

`ports` is not among them: its entries have `port` in a Service and `containerPort` in a container.
Nor is `hostAliases`, of which several entries may have the same address.
"""
_PORT_KEYS = ("port", "containerPort")

NAMED_MAPS = frozenset(
    {
        "annotations",
        "binaryData",
        "data",
        "hard",
        "labels",
        "matchLabels",
        "nodeSelector",
        "selector",
        "stringData",
    }
)
"""Maps whose keys are names that people choose, which may have dots in them."""
ATOMIC_LISTS = frozenset({"command", "args"})
"""Lists that are one value: to move an entry changes the meaning."""


def entry_keys(name: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Return which fields identify this entry of a list; empty if none of them is set."""
    if name == "ports":
        return next(((key,) for key in _PORT_KEYS if entry.get(key) is not None), ())
    return tuple(key for key in LIST_KEYS.get(name, ()) if entry.get(key) not in (None, ""))


def entry_marks(name: str, entries: Sequence[Any]) -> list[str] | None:
    """Return what identifies each entry of a list; None if only their positions do."""
    if not all(isinstance(entry, Mapping) for entry in entries):
        return None
    marks = [":".join(str(entry[key]) for key in entry_keys(name, entry)) for entry in entries]
    return marks if all(marks) and len(set(marks)) == len(marks) else None
