"""Plans how to take a run back: exactly its fields, and only where nobody wrote after it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reme_playbook.actions.field_paths import Path, dotted, read, written
from reme_playbook.actions.registry import (
    Action,
    AllowEgress,
    AllowIngress,
    DeletePod,
    PatchNodeSelector,
    PatchProbe,
    PatchServicePort,
    PatchServiceSelector,
    RemoveTaint,
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
    UncordonNode,
)
from reme_playbook.compiler.strategic_merge import build
from reme_playbook.execution.capture import Capture, Captured
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.network_rules import read_backend
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.pod_template import digest
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.views import pod


@dataclass(frozen=True)
class Conflict:
    """A field that is left as it is, and why."""

    target: ObjectRef
    field: str
    message: str


@dataclass(frozen=True)
class RollbackPlan:
    """What an undo does, in its order, what it leaves alone, and what it cannot restore."""

    actions: tuple[Action, ...]
    kept: tuple[Conflict, ...] = ()
    lost: tuple[Conflict, ...] = ()


def undo(capture: Capture, live_now: ClusterSnapshot) -> RollbackPlan:
    """Return the actions that restore what was captured, the last change first.

    A field that holds what it held before needs nothing. One that holds neither that nor what the
    run wrote was changed by somebody else meanwhile: it is kept, and reported.

    A Rollback is taken back only while the pod template is still the one that it brought, and by
    going to the revision with the template of before, whatever its number is now. If that
    revision is gone, the template of before is lost: then nothing can be said to be restored.

    Replicas that an autoscaler sets by now are its own. A StatefulSet goes on with its rollout only
    when the pod that it waits for is ready, so one that is not is deleted with its template.

    Raises RejectedPlaybookError if a captured value cannot be written; `gate.check` sees to it,
    before the run, that this does not happen.
    """
    actions: list[Action] = []
    kept: list[Conflict] = []
    lost: list[Conflict] = []
    for captured in reversed(capture.items):
        if not captured.before:
            continue
        target = captured.action.target
        found = live_now.objects.get(target)
        if found is None:
            kept.append(Conflict(target, "", f"{target} is gone"))
        elif isinstance(captured.action, Rollback):
            _undo_rollback(captured, live_now, actions, kept, lost)
        elif isinstance(captured.action, Scale) and live_now.autoscaled:
            message = f"an autoscaler sets the replicas of {target}"
            kept.append(Conflict(target, "spec.replicas", message))
        else:
            _undo_fields(captured, found, actions, kept)
    return RollbackPlan((*actions, *_unstuck(actions, live_now)), tuple(kept), tuple(lost))


def _unstuck(actions: Iterable[Action], live: ClusterSnapshot) -> list[DeletePod]:
    """Return the deletion of pods that would keep a StatefulSet from going back."""
    if live.target.kind != "StatefulSet" or not any(map(_rolls_out, actions)):
        return []
    update = unstructured.text(live.workload, "status", "updateRevision")
    return [
        DeletePod(target=key)
        for key, found in sorted(live.objects.items())
        if key.kind == "Pod"
        and update
        and unstructured.text(found, "metadata", "labels", "controller-revision-hash") == update
        and not unstructured.text(found, "metadata", "deletionTimestamp")
        and not pod(found).ready
    ]


def _rolls_out(action: Action) -> bool:
    return action.target.kind == "StatefulSet" and not isinstance(action, Scale | DeletePod)


def _undo_fields(
    captured: Captured, found: Mapping[str, Any], actions: list[Action], kept: list[Conflict]
) -> None:
    restored: dict[Path, Any] = {}
    fields = zip(written(captured.action), captured.before, captured.after, strict=True)
    for path, before, after in fields:
        now = read(found, path)
        if now == before:
            continue
        if now == after:
            restored[path] = before
        else:
            target = captured.action.target
            message = f"{dotted(path)} of {target} was changed by somebody else meanwhile"
            kept.append(Conflict(target, dotted(path), message))
    if restored:
        actions.extend(inverse(captured.action, restored))


def _undo_rollback(
    captured: Captured,
    live: ClusterSnapshot,
    actions: list[Action],
    kept: list[Conflict],
    lost: list[Conflict],
) -> None:
    (before,), (after,) = captured.before, captured.after
    target = captured.action.target
    now = digest(live.template)
    if now == before or target != live.target:
        return
    if now != after:
        message = f"the pod template of {target} was changed by somebody else meanwhile"
        kept.append(Conflict(target, "spec.template", message))
        return
    numbers = [r.number for r in live.revisions if digest(r.template) == before]
    if numbers:
        actions.append(Rollback(target=target, revision=max(numbers)))
    else:
        message = f"the revision that {target} had before is no longer kept"
        lost.append(Conflict(target, "spec.template", message))


def inverse(action: Action, before: Mapping[Path, Any]) -> tuple[Action, ...]:
    """Return the actions that set these fields, of those that the action wrote, to what they held.

    Raises RejectedPlaybookError if what they held is not expressible.
    """
    head: dict[str, Any] = {"target": action.target}
    values = list(before.values())
    drafts: list[dict[str, Any]]
    match action:
        case Scale():
            drafts = [{"action": "Scale", "replicas": values[0]}]
        case SetImage(container=c):
            drafts = [{"action": "SetImage", "container": c, "image": values[0]}]
        case SetEnv(container=c, variable=variable):
            draft = {"container": c, "variable": variable}
            drafts = [
                {**draft, "action": "UnsetEnv"}
                if values[0] is None
                else {**draft, "action": "SetEnv", "value": values[0]}
            ]
        case SetConfigValue(key=key):
            drafts = [
                {"action": "UnsetConfigValue", "key": key}
                if values[0] is None
                else {"action": "SetConfigValue", "key": key, "value": values[0]}
            ]
        case SetResources():
            drafts = _resources(action, before)
        case PatchProbe():
            drafts = [_probe(action, before)]
        case PatchServiceSelector():
            drafts = [{"action": "PatchServiceSelector", "selector": _held(action, before)}]
        case PatchServicePort(port=port):
            drafts = [{"action": "PatchServicePort", "port": port, "target_port": values[0]}]
        case ResumeRollout():
            drafts = [{"action": "PauseRollout"}]
        case SetCommand() | PatchNodeSelector():
            drafts = [_template(action, before)]
        case _:
            drafts = _around(action, before)
    return tuple(build({**head, **draft}) for draft in drafts)


def _around(action: Action, before: Mapping[Path, Any]) -> list[dict[str, Any]]:
    value = next(iter(before.values()))
    match action:
        case SetUpdateStrategy() | SetAutoscaling() | SetDisruptionBudget():
            return [{"action": action.action, **_held(action, before)}]
        case SetQuota():
            return [{"action": "SetQuota", "hard": _held(action, before)}]
        case SetIngressBackend():
            leads_to = read_backend(json.loads(value)) if value else None
            service, port = leads_to or (None, None)
            return [{**action.model_dump(exclude={"target"}), "service": service, "port": port}]
        case AllowIngress() | AllowEgress():
            name = action.action.replace("Allow", "Withdraw")
            return [{**action.model_dump(exclude={"target"}), "action": name}]
        case ResumeJob():
            return [{"action": "SuspendJob"}]
        case UncordonNode():
            return [{"action": "CordonNode"}]
        case RemoveTaint(key=key, effect=effect):
            return [{"action": "AddTaint", "key": key, "effect": effect, "value": value}]
        case _:
            return []


def _template(action: SetCommand | PatchNodeSelector, before: Mapping[Path, Any]) -> dict[str, Any]:
    held = _held(action, before)
    if isinstance(action, PatchNodeSelector):
        return {"action": "PatchNodeSelector", "selector": held}
    words = {name: json.loads(value) if value else [] for name, value in held.items()}
    return {"action": "SetCommand", "container": action.container, **words}


_Several = (
    SetResources
    | PatchProbe
    | PatchServiceSelector
    | PatchNodeSelector
    | SetCommand
    | SetUpdateStrategy
    | SetAutoscaling
    | SetDisruptionBudget
    | SetQuota
)


def _by_name(action: _Several) -> dict[str, Path]:
    names: Iterable[str]
    match action:
        case PatchServiceSelector() | PatchNodeSelector():
            names = action.selector
        case SetQuota():
            names = action.hard
        case _:
            names = action.values()
    return dict(zip(names, written(action), strict=True))


def _held(action: _Several, before: Mapping[Path, Any]) -> dict[str, Any]:
    return {name: before[path] for name, path in _by_name(action).items() if path in before}


def _resources(action: SetResources, before: Mapping[Path, Any]) -> list[dict[str, Any]]:
    held = _held(action, before)
    values = {name: value for name, value in held.items() if value is not None}
    absent = tuple(name for name, value in held.items() if value is None)
    drafts: list[dict[str, Any]] = []
    if values:
        drafts.append({"action": "SetResources", "container": action.container, **values})
    if absent:
        drafts.append({"action": "UnsetResources", "container": action.container, "fields": absent})
    return drafts


def _probe(action: PatchProbe, before: Mapping[Path, Any]) -> dict[str, Any]:
    held = _held(action, before)
    asks = "path" in held or "port" in held
    return {
        "action": "PatchProbe",
        "container": action.container,
        "probe": action.probe,
        "handler": action.handler if asks else None,
        **held,
    }
