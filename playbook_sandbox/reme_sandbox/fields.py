"""Where an action writes: its fields as paths, what they hold, and the patch that sets them.

Everything that must agree about an action is derived from here: the rendered patch, the rights,
the capture before the run, the undo, and the changes in the record.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reme_sandbox import raw
from reme_sandbox.actions import (
    Action,
    PatchProbe,
    PatchServicePort,
    PatchServiceSelector,
    PauseRollout,
    Restart,
    ResumeRollout,
    Rollback,
    Scale,
    SetConfigValue,
    SetEnv,
    SetImage,
    SetResources,
    UnsetConfigValue,
    UnsetEnv,
    UnsetResources,
)
from reme_sandbox.templates import RESTART_ANNOTATION
from reme_sandbox.views import PROBE_KEYS, canonical


@dataclass(frozen=True)
class Entry:
    """A step into a map by its key, or into a list by what tells its entries apart."""

    key: str | int
    by: str = ""


Step = str | Entry
Path = tuple[Step, ...]


@dataclass(frozen=True)
class Write:
    """One field and what it is set to; None takes it away."""

    path: Path
    value: Any


_TEMPLATE: Path = ("spec", "template")
_RESTART: Path = (*_TEMPLATE, "metadata", "annotations", Entry(RESTART_ANNOTATION))

RESOURCE_PATHS: dict[str, tuple[str, str]] = {
    "cpu_limit": ("limits", "cpu"),
    "memory_limit": ("limits", "memory"),
    "cpu_request": ("requests", "cpu"),
    "memory_request": ("requests", "memory"),
}
TIMING_KEYS: dict[str, str] = {
    "initial_delay_seconds": "initialDelaySeconds",
    "period_seconds": "periodSeconds",
    "timeout_seconds": "timeoutSeconds",
    "failure_threshold": "failureThreshold",
}
# What the API server fills in, and leaves out again where it is the zero value.
_DEFAULTS: dict[str, Any] = {
    "replicas": 1,
    "paused": False,
    "initialDelaySeconds": 0,
    "periodSeconds": 10,
    "timeoutSeconds": 1,
    "failureThreshold": 3,
    "path": "/",
    "value": "",
}


def container_path(container: str, *rest: Step) -> Path:
    """Return the path into a container of the pod template."""
    return (*_TEMPLATE, "spec", "containers", Entry(container, "name"), *rest)


def writes(action: Action, run_id: str = "now") -> tuple[Write, ...]:
    """Return what the action sets; empty for DeletePod, and for Rollback, whose value is live."""
    found: list[tuple[Path, Any]]
    match action:
        case Restart():
            found = [(_RESTART, run_id)]
        case Scale(replicas=replicas):
            found = [(("spec", "replicas"), replicas)]
        case ResumeRollout() | PauseRollout():
            found = [(("spec", "paused"), isinstance(action, PauseRollout))]
        case SetConfigValue(key=key, value=value):
            found = [(("data", Entry(key)), value)]
        case UnsetConfigValue(key=key):
            found = [(("data", Entry(key)), None)]
        case PatchServiceSelector(selector=selector):
            found = [(("spec", "selector", Entry(key)), value) for key, value in selector.items()]
        case PatchServicePort(port=port, target_port=target_port):
            found = [(("spec", "ports", Entry(port, "port"), "targetPort"), target_port)]
        case _:
            found = _container_writes(action)
    return tuple(Write(path, value) for path, value in found)


def _container_writes(action: Action) -> list[tuple[Path, Any]]:
    match action:
        case SetImage(container=c, image=image):
            return [(container_path(c, "image"), image)]
        case SetEnv(container=c, variable=variable, value=value):
            return [(container_path(c, "env", Entry(variable, "name"), "value"), value)]
        case UnsetEnv(container=c, variable=variable):
            return [(container_path(c, "env", Entry(variable, "name")), None)]
        case SetResources(container=c):
            return [
                (container_path(c, "resources", *RESOURCE_PATHS[name]), value)
                for name, value in action.values().items()
            ]
        case UnsetResources(container=c, fields=names):
            return [(container_path(c, "resources", *RESOURCE_PATHS[name]), None) for name in names]
        case PatchProbe(container=c, probe=probe):
            return [
                (container_path(c, PROBE_KEYS[probe], *_probe_step(action, name)), value)
                for name, value in action.values().items()
            ]
        case _:
            return []


def _probe_step(action: PatchProbe, name: str) -> tuple[str, ...]:
    return (TIMING_KEYS[name],) if name in TIMING_KEYS else (action.handler or "httpGet", name)


def written(action: Action) -> tuple[Path, ...]:
    """Return the fields that the action sets; DeletePod has none."""
    if isinstance(action, Rollback):
        return (_TEMPLATE,)
    return tuple(write.path for write in writes(action))


def granted(action: Action) -> tuple[Path, ...]:
    """Return the fields that the action needs a right to, somewhat coarser than what it sets."""
    return tuple(dict.fromkeys(_granted(path) for path in written(action)))


def _granted(path: Path) -> Path:
    # In a container: the whole of its resources, of one probe, of one variable.
    if path[:4] != (*_TEMPLATE, "spec", "containers"):
        return path
    return path[:7] if path[5] == "env" else path[:6]


def dotted(path: Path) -> str:
    """Return the path as people and grants write it: spec.selector[app], containers[web].image."""
    return "".join(f"[{s.key}]" if isinstance(s, Entry) else f".{s}" for s in path).lstrip(".")


def read(found: Mapping[str, Any], path: Path) -> Any:
    """Return what the field holds, in canonical form and with the API's defaults, or None."""
    parent: Any = found
    for step in path[:-1]:
        parent = _step(parent, step)
    value = _step(parent, path[-1])
    if value is None and isinstance(parent, Mapping) and parent:
        value = _default(parent, path)
    if "resources" in path and isinstance(value, str | int):
        return canonical(str(path[-1]), value)
    return value


def _default(parent: Mapping[str, Any], path: Path) -> Any:
    last = path[-1]
    if last == "targetPort":
        return parent.get("port")
    if last == "value" and "valueFrom" in parent:
        return None
    return _DEFAULTS.get(last) if isinstance(last, str) else None


def _step(value: Any, step: Step) -> Any:
    if isinstance(step, Entry) and step.by:
        same = [e for e in raw.items({"list": value}, "list") if e.get(step.by) == step.key]
        return same[0] if same else None
    return raw.at(value, str(step.key) if isinstance(step, Entry) else step)


def patch(changes: Sequence[Write]) -> dict[str, Any]:
    """Return the strategic merge patch that makes the writes, in their order."""
    whole: dict[str, Any] = {}
    for write in changes:
        _put(whole, write.path, write.value)
    return whole


def _put(into: dict[str, Any], path: Path, value: Any) -> None:
    step, rest = path[0], path[1:]
    name = str(step.key) if isinstance(step, Entry) else step
    if not rest:
        into[name] = value
    elif isinstance(rest[0], Entry) and rest[0].by:
        entry = _entry(into.setdefault(name, []), rest[0])
        if len(rest) > 1:
            _put(entry, rest[1:], value)
        elif value is None:
            entry["$patch"] = "delete"
    else:
        _put(into.setdefault(name, {}), rest, value)


def _entry(entries: list[dict[str, Any]], step: Entry) -> dict[str, Any]:
    found = next((e for e in entries if e[step.by] == step.key), None)
    if found is None:
        found = {step.by: step.key}
        entries.append(found)
    return found


def overlap(one: Path, other: Path) -> bool:
    """Return whether one of two fields holds the other, or is it."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
