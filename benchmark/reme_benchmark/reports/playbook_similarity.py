"""Tells whether a playbook does the kind of thing that a good repair does, with whatever values.

Playbooks are compared as they are written, and not compiled: a repair in the catalogue still has
placeholders, and a playbook that was rejected may have been the right idea. What only the live
system can tell, such as the name of a pod, is a placeholder there and matches anything.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from reme_benchmark.scenarios.cases.model import Case
from reme_benchmark.scenarios.faults.model import Fault

_IDENTITY = frozenset({"apiVersion", "kind", "metadata"})
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")


class Shape(NamedTuple):
    """What one task is about, without its values."""

    module: str
    kind: str
    name: str
    removes: bool
    fields: frozenset[str]


def same_kind(playbooks: Iterable[str], fault: Fault, case: Case) -> bool:
    """Return whether one of the playbooks does all that some good repair does."""
    good = [tuple(_shapes(repair.playbook, case)) for repair in fault.repairs]
    attempted = [tuple(_shapes(_tasks(text), case)) for text in playbooks]
    return any(
        shapes and all(any(_alike(shape, did) for did in done) for shape in shapes)
        for done in attempted
        for shapes in good
    )


def _alike(good: Shape, did: Shape) -> bool:
    """Return whether a task is about the same as a good one, and shares a field with it."""
    return (
        good.module == did.module
        and good.removes == did.removes
        and _fits(good.kind, did.kind)
        and _fits(good.name, did.name)
        and (not good.fields or any(_fits(g, d) for g in good.fields for d in did.fields))
    )


def _fits(pattern: str, text: str) -> bool:
    parts = _PLACEHOLDER.split(pattern)
    return re.fullmatch(".+".join(re.escape(part) for part in parts), text) is not None


def _tasks(text: str) -> list[Any]:
    """Return the tasks of a playbook: the record holds it as a list of plays, or of tasks."""
    try:
        read = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError):
        return []
    tasks: list[Any] = []
    for item in read if isinstance(read, list) else [read]:
        inner = item.get("tasks") if isinstance(item, Mapping) else None
        tasks += inner if isinstance(inner, list) else [item]
    return tasks


def _shapes(tasks: Iterable[Any], case: Case) -> Iterator[Shape]:
    for task in tasks:
        if not isinstance(task, Mapping):
            continue
        for module, options in task.items():
            if "." in str(module) and isinstance(options, Mapping):
                yield _shape(str(module).rsplit(".", 1)[1], options, case)


def _shape(module: str, options: Mapping[str, Any], case: Case) -> Shape:
    body = options.get("definition") or options.get("resource_definition") or {}
    body = body if isinstance(body, Mapping) else {}
    meta = body.get("metadata")
    named = options.get("name") or (meta.get("name") if isinstance(meta, Mapping) else "")
    return Shape(
        module=module,
        kind=str(options.get("kind") or body.get("kind") or ""),
        name=str(named or "").replace("${service}", case.service),
        removes=options.get("state") == "absent",
        fields=frozenset(_fields({k: v for k, v in body.items() if k not in _IDENTITY})),
    )


def _fields(value: Any, path: str = "") -> Iterator[str]:
    """Yield the path of every value; what is in a list goes by its name, where it has one."""
    if isinstance(value, Mapping) and value:
        for key, below in value.items():
            if key != "name":
                yield from _fields(below, f"{path}.{key}")
    elif isinstance(value, list | tuple) and value:
        for below in value:
            name = below.get("name", "") if isinstance(below, Mapping) else ""
            yield from _fields(below, f"{path}[{name}]")
    elif path:
        yield path
