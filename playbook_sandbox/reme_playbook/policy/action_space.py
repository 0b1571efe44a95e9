"""The finite list of what could be done now: what a model may choose from."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from reme_api.actions import ActionName
from reme_api.policy import RemediationPolicySpec
from reme_playbook.actions import related_candidates
from reme_playbook.actions.bounds import PROBE_FACTOR, amount
from reme_playbook.actions.registry import PROBE_TIMINGS, RESOURCE_FIELDS, Action
from reme_playbook.compiler.strategic_merge import build
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.policy.validation import check, merged_selector
from reme_playbook.snapshot import earlier_values, unstructured
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.quantity import format_cpu, format_memory
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.views import Resources, ServiceView

MAX_ACTIONS = 96
"""More would make the grammar slow and the choice no better."""
MAX_VALUES = 3
MAX_PODS = 5

_MEBIBYTE = 2**20
_STEPS = ((5, 4), (3, 2), (2, 1))
Draft = dict[str, Any]


class Evaluation(NamedTuple):
    """One action that was thought of, and why the gate would not let it through, if so."""

    name: ActionName
    action: Action | None  # None: no such action can be written down
    refusal: RejectedPlaybookError | None


def allowed_actions(
    live: ClusterSnapshot,
    policy: RemediationPolicySpec,
    *,
    release_namespace: str = "",
    now: datetime | None = None,
) -> tuple[Action, ...]:
    """Return every action that could be taken now, with a few values each; all pass the gate."""
    allowed = {rule.name for rule in policy.actions}
    found: dict[Action, None] = {}
    for name in _DRAFTS:
        if name not in allowed:
            continue
        for one in evaluate(name, live, policy, release_namespace=release_namespace, now=now):
            if one.action is not None and one.refusal is None:
                found[one.action] = None
    return tuple(islice(found, MAX_ACTIONS))


def evaluate(
    name: ActionName,
    live: ClusterSnapshot,
    policy: RemediationPolicySpec,
    *,
    release_namespace: str = "",
    now: datetime | None = None,
) -> Iterator[Evaluation]:
    """Yield every action of this name that comes to mind, and what the gate says to it."""
    for draft in _DRAFTS[name](live):
        action: Action | None = None
        try:
            action = build({"target": live.target, **draft})
            check((action,), policy, live, release_namespace=release_namespace, now=now)
        except RejectedPlaybookError as error:
            yield Evaluation(name, action, error)
        else:
            yield Evaluation(name, action, None)


def refusals_by_action(
    live: ClusterSnapshot,
    policy: RemediationPolicySpec,
    *,
    release_namespace: str = "",
    now: datetime | None = None,
) -> dict[str, str]:
    """Return, for each action that the policy lists, the rule that most of its drafts broke."""
    listed, found = {rule.name for rule in policy.actions}, {}
    for name in _DRAFTS:
        if name not in listed:
            continue
        rules = Counter(
            str(one.refusal.rule)
            for one in evaluate(name, live, policy, release_namespace=release_namespace, now=now)
            if one.refusal is not None
        )
        if rules:
            found[str(name)] = rules.most_common(1)[0][0]
    return found


def _simple(name: str) -> Callable[[ClusterSnapshot], Iterable[Draft]]:
    return lambda _: [{"action": name}]


def _scale(live: ClusterSnapshot) -> Iterator[Draft]:
    now = live.replicas.desired
    known = sorted(earlier_values.replica_counts(live), key=lambda n: (abs(n - now), n))[
        :MAX_VALUES
    ]
    for replicas in dict.fromkeys([*([1] if now == 0 else []), now + 1, now + 2, now * 2, *known]):
        yield {"action": "Scale", "replicas": replicas}


def _resources(live: ClusterSnapshot) -> Iterator[Draft]:
    for container in live.containers:
        head = {"action": "SetResources", "container": container.name}
        # What an earlier revision had, as a whole, then one by one.
        for view in earlier_values.earlier_containers(live, container.name)[:MAX_VALUES]:
            yield {**head, **_lost(container.resources, view.resources)}
        for field in RESOURCE_FIELDS:
            for text in earlier_values.resources(live, container.name, field)[:MAX_VALUES]:
                yield {**head, field: text}
        for field in ("cpu_limit", "memory_limit"):
            current = getattr(container.resources, field)
            for times, by in _STEPS if current else ():
                yield {**head, field: _scaled(field, current, times, by)}


def _lost(now: Resources, before: Resources) -> Draft:
    return {
        field: getattr(before, field)
        for field in RESOURCE_FIELDS
        if getattr(before, field) not in (None, getattr(now, field))
    }


def _scaled(field: str, text: str, times: int, by: int) -> str:
    new = amount(field, text) * times // by
    if field == "cpu_limit":
        return format_cpu(new)
    # Whole mebibytes are what people write; never rounded up beyond a bound.
    return format_memory(new // _MEBIBYTE * _MEBIBYTE if new >= _MEBIBYTE else new)


def _images(live: ClusterSnapshot) -> Iterator[Draft]:
    for container in live.containers:
        for image in earlier_values.images(live, container.name)[:MAX_VALUES]:
            yield {"action": "SetImage", "container": container.name, "image": image}


def _env(live: ClusterSnapshot) -> Iterator[Draft]:
    for container in live.containers:
        earlier = earlier_values.earlier_containers(live, container.name)
        for variable in dict.fromkeys([*container.env, *(v for e in earlier for v in e.env)]):
            known = earlier_values.env_values(live, container.name, variable)[:MAX_VALUES]
            hosts = earlier_values.env_hosts(live, container.name, variable)
            for value in dict.fromkeys([*known, *hosts]):
                yield {
                    "action": "SetEnv",
                    "container": container.name,
                    "variable": variable,
                    "value": value,
                }


def _config(live: ClusterSnapshot) -> Iterator[Draft]:
    for target in sorted(key for key in live.objects if key.kind == "ConfigMap"):
        name = target.name
        applied = live.last_applied_config(name).get("data")
        keys = [*live.config_map(name), *(applied if isinstance(applied, dict) else {})]
        for key in dict.fromkeys(keys):
            known = earlier_values.config_values(live, name, key)[:MAX_VALUES]
            for value in dict.fromkeys([*known, *earlier_values.config_hosts(live, name, key)]):
                yield {"target": target, "action": "SetConfigValue", "key": key, "value": value}


def _probes(live: ClusterSnapshot) -> Iterator[Draft]:
    for container in live.containers:
        for kind, probe in container.probes.items():
            head = {"action": "PatchProbe", "container": container.name, "probe": kind}
            for field in ("path", "port"):
                for value in earlier_values.probe_values(live, container.name, kind, field)[
                    :MAX_VALUES
                ]:
                    yield {**head, "handler": probe.handler, field: value}
            for field in PROBE_TIMINGS:
                known = earlier_values.probe_values(live, container.name, kind, field)[:MAX_VALUES]
                for value in dict.fromkeys([*known, getattr(probe, field) * PROBE_FACTOR]):
                    yield {**head, field: value}


def _commands(live: ClusterSnapshot) -> Iterator[Draft]:
    for container in live.containers:
        for view in earlier_values.earlier_containers(live, container.name)[:MAX_VALUES]:
            differing = {
                field: getattr(view, field)
                for field in ("command", "args")
                if getattr(view, field) != getattr(container, field)
            }
            if differing:
                yield {"action": "SetCommand", "container": container.name, **differing}


def _services(live: ClusterSnapshot) -> Iterator[tuple[ObjectRef, ServiceView]]:
    for target in sorted(key for key in live.objects if key.kind == "Service"):
        service = live.service(target.name)
        if service is not None:
            yield target, service


def _selectors(live: ClusterSnapshot) -> Iterator[Draft]:
    labels = live.pod_labels
    for target, service in _services(live):
        patch: dict[str, str | None] = {
            key: labels.get(key)
            for key, value in service.selector.items()
            if labels.get(key) != value
        }
        if not merged_selector(service.selector, patch):
            # None of its labels is one of the pods': it gets those that the workload goes by.
            patch |= _match_labels(live)
        if patch:
            yield {"target": target, "action": "PatchServiceSelector", "selector": patch}


def _match_labels(live: ClusterSnapshot) -> dict[str, str]:
    return unstructured.strings(live.workload, "spec", "selector", "matchLabels")


def _ports(live: ClusterSnapshot) -> Iterator[Draft]:
    declared = earlier_values.target_ports(live)
    for target, service in _services(live):
        for port in service.ports:
            if port.target_port in declared:
                continue  # it leads somewhere: no reason to lead elsewhere
            for leads_to in declared:
                yield {
                    "target": target,
                    "action": "PatchServicePort",
                    "port": port.port,
                    "target_port": leads_to,
                }


def _pods(live: ClusterSnapshot) -> Iterator[Draft]:
    keys = {key.name: key for key in live.objects if key.kind == "Pod"}
    worst_first = sorted(live.pods, key=lambda p: (p.ready, -p.restarts, p.name))
    for pod in worst_first[:MAX_PODS]:
        if pod.name in keys:
            yield {"target": keys[pod.name], "action": "DeletePod"}


_DRAFTS: dict[ActionName, Callable[[ClusterSnapshot], Iterable[Draft]]] = {
    ActionName.RESTART: _simple("Restart"),
    ActionName.ROLLBACK: _simple("Rollback"),
    ActionName.SCALE: _scale,
    ActionName.SET_RESOURCES: _resources,
    ActionName.SET_IMAGE: _images,
    ActionName.SET_ENV: _env,
    ActionName.SET_CONFIG_VALUE: _config,
    ActionName.PATCH_PROBE: _probes,
    ActionName.PATCH_SERVICE_SELECTOR: _selectors,
    ActionName.PATCH_SERVICE_PORT: _ports,
    ActionName.DELETE_POD: _pods,
    ActionName.RESUME_ROLLOUT: _simple("ResumeRollout"),
    **related_candidates.DRAFTS,
    ActionName.SET_COMMAND: _commands,
}
