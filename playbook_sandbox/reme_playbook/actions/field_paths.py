"""Where an action writes: its fields as paths, what they hold, and the patch that sets them.

Everything that must agree about an action is derived from here: the rendered patch, the rights,
the capture before the run, the undo, and the changes in the record.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reme_playbook.actions.registry import (
    Action,
    AddTaint,
    AllowEgress,
    AllowIngress,
    CordonNode,
    PatchNodeSelector,
    PatchProbe,
    PatchServicePort,
    PatchServiceSelector,
    PauseRollout,
    RemoveTaint,
    Restart,
    ResumeJob,
    ResumeRollout,
    Rollback,
    Scale,
    SetAutoscaling,
    SetCommand,
    SetConfigValue,
    SetDisruptionBudget,
    SetEnv,
    SetImage,
    SetIngressBackend,
    SetQuota,
    SetResources,
    SetUpdateStrategy,
    SuspendJob,
    UncordonNode,
    UnsetConfigValue,
    UnsetEnv,
    UnsetResources,
    WithdrawEgress,
    WithdrawIngress,
)
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.network_rules import backend, egress_rule, ingress_rule
from reme_playbook.snapshot.pod_template import RESTART_ANNOTATION
from reme_playbook.snapshot.views import PROBE_KEYS, canonical, quota


@dataclass(frozen=True)
class Entry:
    """A step into a map by its key, or into a list by what tells its entries apart."""

    key: str | int
    by: str = ""


@dataclass(frozen=True)
class Index:
    """A step into a list whose entries nothing but their place tells apart."""

    place: int


Step = str | Entry | Index
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
STRATEGY_KEYS: dict[str, str] = {"max_surge": "maxSurge", "max_unavailable": "maxUnavailable"}
SPEC_KEYS: dict[str, str] = {
    "min_replicas": "minReplicas",
    "max_replicas": "maxReplicas",
    "min_available": "minAvailable",
    "max_unavailable": "maxUnavailable",
}
TAINT = "taint"
"""By what the taints of a node are told apart: key and effect."""
# What the API server fills in, and leaves out again where it is the zero value.
_DEFAULTS: dict[str, Any] = {
    "replicas": 1,
    "paused": False,
    "suspend": False,
    "unschedulable": False,
    "minReplicas": 1,
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
            found = _container_writes(action) or _writes_around(action)
    return tuple(Write(path, value) for path, value in found)


def _writes_around(action: Action) -> list[tuple[Path, Any]]:
    match action:
        case SetUpdateStrategy():
            where: Path = ("spec", "strategy", "rollingUpdate")
            return [((*where, STRATEGY_KEYS[name]), v) for name, v in action.values().items()]
        case PatchNodeSelector(selector=selector):
            where = (*_TEMPLATE, "spec", "nodeSelector")
            return [((*where, Entry(key)), value) for key, value in selector.items()]
        case SetAutoscaling() | SetDisruptionBudget():
            return [(("spec", SPEC_KEYS[name]), value) for name, value in action.values().items()]
        case SetQuota(hard=hard):
            return [(("spec", "hard", Entry(key)), text) for key, text in hard.items()]
        case ResumeJob() | SuspendJob():
            return [(("spec", "suspend"), isinstance(action, SuspendJob))]
        case UncordonNode() | CordonNode():
            return [(("spec", "unschedulable"), isinstance(action, CordonNode))]
        case _:
            return _writes_by_place(action)


def _writes_by_place(action: Action) -> list[tuple[Path, Any]]:
    match action:
        case SetIngressBackend(rule=rule, path=path, service=service, port=port):
            where = ("spec", "rules", Index(rule), "http", "paths", Index(path))
            return [((*where, "backend", "service"), backend(service, port))]
        case AllowIngress(position=place, labels=labels, port=port):
            return [(("spec", "ingress", Index(place)), ingress_rule(labels, port))]
        case WithdrawIngress(position=place):
            return [(("spec", "ingress", Index(place)), None)]
        case AllowEgress(position=place, labels=peers, port=leads_to):
            return [(("spec", "egress", Index(place)), egress_rule(peers, leads_to))]
        case WithdrawEgress(position=place):
            return [(("spec", "egress", Index(place)), None)]
        case RemoveTaint(key=key, effect=effect):
            return [(_taint(key, effect), None)]
        case AddTaint(key=key, effect=effect, value=value):
            return [(_taint(key, effect), value)]
        case _:
            return []


def _taint(key: str, effect: str) -> Path:
    return ("spec", "taints", Entry(f"{key}:{effect}", TAINT), "value")


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
        case SetCommand(container=c):
            # An empty list and none are the same to the API, which keeps no empty one.
            return [
                (container_path(c, name), list(value) or None)
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
    coarse = dict.fromkeys(_granted(path) for path in written(action))
    # What may be taken away is named: within the whole of the resources nothing else may.
    finer = written(action) if isinstance(action, UnsetResources) else ()
    return (*coarse, *finer)


def _granted(path: Path) -> Path:
    # In a container: the whole of its resources, of one probe, of one variable. Of a node: the
    # whole of one taint.
    if path[:2] == ("spec", "taints"):
        return path[:3]
    if path[:4] != (*_TEMPLATE, "spec", "containers"):
        return path
    return path[:7] if path[5] == "env" else path[:6]


def dotted(path: Path) -> str:
    """Return the path as people and grants write it: spec.selector[app], containers[web].image."""
    return "".join(_dotted(step) for step in path).lstrip(".")


def _dotted(step: Step) -> str:
    match step:
        case Entry(key=key):
            return f"[{key}]"
        case Index(place=place):
            return f"[{place}]"
        case _:
            return f".{step}"


def held(value: Any) -> Any:
    """Return a value as a capture keeps it: objects and lists as canonical JSON."""
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return value


def read(found: Mapping[str, Any], path: Path) -> Any:
    """Return what the field holds, in canonical form and with the API's defaults, or None.

    Objects and lists come as `held` writes them.
    """
    parent: Any = found
    for step in path[:-1]:
        parent = _step(parent, step)
    value = _step(parent, path[-1])
    if value is None and isinstance(parent, Mapping) and parent:
        value = _default(parent, path)
    if "resources" in path and isinstance(value, str | int):
        return canonical(str(path[-1]), value)
    if path[:2] == ("spec", "hard") and isinstance(path[-1], Entry) and isinstance(value, str):
        return quota(str(path[-1].key), value)
    return None if value == [] else held(value)


def _default(parent: Mapping[str, Any], path: Path) -> Any:
    last = path[-1]
    if last == "targetPort":
        return parent.get("port")
    if last == "value" and "valueFrom" in parent:
        return None
    return _DEFAULTS.get(last) if isinstance(last, str) else None


def _step(value: Any, step: Step) -> Any:
    if isinstance(step, Index):
        entries = value if isinstance(value, list | tuple) else ()
        return entries[step.place] if step.place < len(entries) else None
    if isinstance(step, Entry) and step.by == TAINT:
        taints = unstructured.items({"list": value}, "list")
        return next((t for t in taints if f"{t.get('key')}:{t.get('effect')}" == step.key), None)
    if isinstance(step, Entry) and step.by:
        same = [
            e for e in unstructured.items({"list": value}, "list") if e.get(step.by) == step.key
        ]
        return same[0] if same else None
    return unstructured.at(value, str(step.key) if isinstance(step, Entry) else step)


def patch(changes: Sequence[Write]) -> dict[str, Any]:
    """Return the strategic merge patch that makes the writes, in their order.

    Only for paths without a place in them: see `operations`.
    """
    whole: dict[str, Any] = {}
    for write in changes:
        _put(whole, write.path, write.value)
    return whole


def _put(into: dict[str, Any], path: Path, value: Any) -> None:
    step, rest = path[0], path[1:]
    assert not isinstance(step, Index), "a merge patch cannot name a place in a list"
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
