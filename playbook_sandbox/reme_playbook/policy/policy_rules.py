"""Which rules of a policy are about an action, what it calls its fields, how much it disturbs."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from reme_api.policy import ActionRule, RemediationPolicySpec
from reme_api.windows import is_open, next_opening
from reme_playbook.actions import registry as a
from reme_playbook.actions.registry import Action, Disruption
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.related_views import pods_of
from reme_playbook.snapshot.snapshot import ClusterSnapshot


def matching_rules(
    action: Action,
    policy: RemediationPolicySpec,
    live: ClusterSnapshot,
    now: datetime | None = None,
) -> list[ActionRule]:
    """Return the rules that allow the action; each of them may bound its values.

    Times are left out of it when there is no `now`: the choice of who asks for a plan alone.

    Raises RejectedPlaybookError that names the first thing that no rule allows.
    """
    found = [rule for rule in policy.actions if rule.name is action.name]
    if not found:
        raise RejectedPlaybookError(RejectionRule.NOT_ALLOWED, f"the policy lists no {action.name}")
    for what, holds in _tests(action, live):
        narrowed = [rule for rule in found if holds(rule)]
        if not narrowed:
            raise RejectedPlaybookError(
                RejectionRule.NOT_ALLOWED, f"the policy does not allow {action.name} {what}"
            )
        found = narrowed
    _check_disruption(action, policy, live)
    return found if now is None else _open(action, found, now)


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Return whether one of the patterns is about the name; without any, all names are."""
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _tests(action: Action, live: ClusterSnapshot) -> list[tuple[str, Callable[[ActionRule], bool]]]:
    kinds, names = {action.target.kind}, {action.target.name}
    if isinstance(action, a.DeletePod):
        # Nobody knows the names of pods in advance: a rule means those of a workload.
        kinds, names = kinds | {live.target.kind}, names | {live.target.name}
    container, fields = getattr(action, "container", None), field_names(action)
    return [
        (f"on a {action.target.kind}", lambda r: not r.kinds or bool(kinds & set(r.kinds))),
        (f"on {action.target}", lambda r: any(matches(name, r.names) for name in names)),
        (
            f"in container {container}",
            lambda r: container is None or matches(container, r.containers),
        ),
        (
            f"of {', '.join(fields)}",
            lambda r: all(matches(field, r.fields) for field in fields),
        ),
    ]


def _open(action: Action, found: list[ActionRule], now: datetime) -> list[ActionRule]:
    open_now = [rule for rule in found if is_open(rule.windows, now)]
    if open_now:
        return open_now
    windows = [window for rule in found for window in rule.windows]
    when = next_opening(windows, now)
    said = f"again at {when:%Y-%m-%d %H:%M} UTC" if when else "at no time that is known"
    raise RejectedPlaybookError(
        RejectionRule.OUTSIDE_WINDOW,
        f"the policy allows {action.name} only at certain times, {said}",
    )


def _check_disruption(action: Action, policy: RemediationPolicySpec, live: ClusterSnapshot) -> None:
    found = current_disruption(action, live)
    if found.exceeds(policy.max_disruption):
        raise RejectedPlaybookError(
            RejectionRule.TOO_DISRUPTIVE,
            f"{action.name} disturbs more than the policy allows: {found}, not above "
            f"{policy.max_disruption}",
        )


_KEYED: Mapping[type[Any], str] = {
    a.SetEnv: "variable",
    a.SetConfigValue: "key",
    a.RemoveTaint: "key",
    a.PatchServicePort: "port",
}
_FIXED: Mapping[type[Any], str] = {a.Scale: "replicas", a.SetImage: "image"}


def field_names(action: Action) -> tuple[str, ...]:
    """Return what a policy calls the fields that the action sets; some actions have none."""
    kind = type(action)
    if kind in _FIXED or kind in _KEYED:
        return (_FIXED.get(kind) or str(getattr(action, _KEYED[kind])),)
    match action:
        case a.PatchProbe():
            return tuple(f"{action.probe}.{_camel(name)}" for name in action.values())
        case a.PatchServiceSelector() | a.PatchNodeSelector():
            return tuple(action.selector)
        case a.SetQuota():
            return tuple(action.hard)
        case a.SetIngressBackend():
            return (f"{action.host or ''}{action.http_path or '/'}",)
        case a.AllowIngress() | a.AllowEgress():
            return ("dns" if action.port is None else str(action.port),)
    values = getattr(action, "values", dict)
    return tuple(_camel(name) for name in values())


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.title() for other in others)


def current_disruption(action: Action, live: ClusterSnapshot) -> Disruption:
    """Return what the action would interrupt on what is there now."""
    match action:
        case a.Scale():
            grows = action.replicas >= live.replicas.desired
            return Disruption.NONE if grows else Disruption.LOW
        case a.SetAutoscaling():
            fewer = (action.max_replicas or live.replicas.current) < live.replicas.current
            return Disruption.LOW if fewer else Disruption.NONE
        case a.DeletePod():
            return _of_pod(action, live)
        case _ if action.disruption is Disruption.MEDIUM and _stops_all(live):
            return Disruption.HIGH
        case _:
            return action.disruption


def _of_pod(action: a.DeletePod, live: ClusterSnapshot) -> Disruption:
    ready = {pod.name for pod in live.pods if pod.ready}
    if action.target.name not in ready:
        return Disruption.NONE
    return Disruption.HIGH if len(ready) == 1 else Disruption.LOW


def _stops_all(live: ClusterSnapshot) -> bool:
    """Return whether a rollout stops every pod that serves before another one does."""
    if not live.replicas.available:
        return False  # nothing serves that could be interrupted
    spec, wanted = live.workload, live.replicas.desired
    match live.target.kind:
        case "Deployment":
            if unstructured.text(spec, "spec", "strategy", "type") == "Recreate":
                return True
            bounds = unstructured.mapping(spec, "spec", "strategy", "rollingUpdate")
            return _share(bounds.get("maxUnavailable", "25%"), wanted) >= wanted
        case "StatefulSet":
            if unstructured.text(spec, "spec", "updateStrategy", "type") == "OnDelete":
                return False
            bounds = unstructured.mapping(spec, "spec", "updateStrategy", "rollingUpdate")
            return _share(bounds.get("maxUnavailable", 1), wanted) >= wanted
        case _:
            bounds = unstructured.mapping(spec, "spec", "updateStrategy", "rollingUpdate")
            if _share(bounds.get("maxSurge", 0), 100):
                return False
            pods = unstructured.number(spec, "status", "desiredNumberScheduled")
            return _share(bounds.get("maxUnavailable", 1), pods) >= pods


def _share(bound: object, total: int) -> int:
    """Return how many of `total` pods a bound of a rollout is, rounded down as Kubernetes does."""
    return pods_of(bound, total, round_up=False) if isinstance(bound, int | str) else 0
