"""Decides about actions on what is around a workload: only what really holds it back is changed."""

import re

from reme_api.policy import ActionRule
from reme_playbook.actions.bounds import permitted_range
from reme_playbook.actions.registry import (
    Action,
    AllowEgress,
    AllowIngress,
    PatchNodeSelector,
    RemoveTaint,
    ResumeJob,
    SetAutoscaling,
    SetDisruptionBudget,
    SetIngressBackend,
    SetQuota,
    SetUpdateStrategy,
    UncordonNode,
)
from reme_playbook.errors import RejectedPlaybookError, RejectionRule, quote
from reme_playbook.snapshot import earlier_values, unstructured
from reme_playbook.snapshot.network_rules import DNS_PORT
from reme_playbook.snapshot.ownership import selected_workloads
from reme_playbook.snapshot.quantity import quota_amount
from reme_playbook.snapshot.quota_usage import exhausted_amounts, quota, required_amount
from reme_playbook.snapshot.reachability import (
    egress_allowed,
    ingress_allowed,
    misrouted_paths,
    ports_of,
)
from reme_playbook.snapshot.related_views import NodeView, pods_of
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_SYSTEM_TAINT = re.compile(
    r"(node|node-role|node\.cloudprovider)\.(kubernetes|alpha\.kubernetes)\.io/"
)


def check_around(action: Action, rules: list[ActionRule], live: ClusterSnapshot) -> None:
    """Reject what the rules or the cluster do not allow."""
    match action:
        case SetAutoscaling():
            _check_autoscaling(action, rules, live)
        case SetQuota():
            _check_quota(action, rules, live)
        case SetDisruptionBudget():
            _check_budget(action, live)
        case SetUpdateStrategy():
            _check_strategy(action, live)
        case PatchNodeSelector():
            _check_node_selector(action, live)
        case ResumeJob():
            _check_job(action, live)
        case SetIngressBackend():
            _check_backend(action, live)
        case AllowIngress() | AllowEgress():
            _check_policy(action, live)
        case UncordonNode() | RemoveTaint():
            _check_node(action, live)
        case _:
            raise RejectedPlaybookError(
                RejectionRule.NOT_ALLOWED, f"{action.action} is not allowed"
            )


def _check_autoscaling(
    action: SetAutoscaling, rules: list[ActionRule], live: ClusterSnapshot
) -> None:
    view = next(a for a in live.autoscalers if a.name == action.target.name)
    now = {"min_replicas": view.min_replicas, "max_replicas": view.max_replicas}
    new = {**now, **action.values()}
    if new == now:
        raise RejectedPlaybookError(
            RejectionRule.NO_CHANGE, f"{action.target} has these bounds already"
        )
    if new["min_replicas"] > new["max_replicas"]:
        raise RejectedPlaybookError(
            RejectionRule.VALUE, "min replicas would be more than max replicas"
        )
    known = earlier_values.autoscaling(live, action.target)
    for name, wanted in action.values().items():
        bounded = any(
            wanted <= rule.max_replicas
            and (wanted == known.get(name) or wanted in permitted_range(now[name], rule))
            for rule in rules
        )
        if wanted != now[name] and not bounded:
            raise RejectedPlaybookError(
                RejectionRule.BOUNDS,
                f"{name.replace('_', ' ')} {wanted} instead of {now[name]} is beyond what the "
                "policy allows",
            )


def _check_quota(action: SetQuota, rules: list[ActionRule], live: ClusterSnapshot) -> None:
    view = quota(live, action.target.name)
    assert view is not None, "only a quota that is there belongs to the target"
    if all(view.hard.get(key) == text for key, text in action.hard.items()):
        raise RejectedPlaybookError(
            RejectionRule.NO_CHANGE, f"{action.target} has these amounts already"
        )
    full = exhausted_amounts(view, live)
    for key, text in action.hard.items():
        if key not in view.hard:
            raise RejectedPlaybookError(RejectionRule.NOT_FOUND, f"{action.target} has no {key}")
        if key not in full:
            raise RejectedPlaybookError(
                RejectionRule.NOT_OF_TARGET,
                f"{key} of {action.target} does not hold {live.target} back",
            )
        now, wanted = quota_amount(key, view.hard[key]), quota_amount(key, text)
        # Like the first replica: a quota of nothing has no steps that could be a share of it.
        first = now == 0 and wanted <= required_amount(view, key, live)
        known = text == earlier_values.quota(live, action.target, key)
        if wanted <= now or not (
            first or known or any(wanted in permitted_range(now, r) for r in rules)
        ):
            raise RejectedPlaybookError(
                RejectionRule.BOUNDS,
                f"{key} {text} instead of {view.hard[key]} is beyond what the policy allows",
            )


def _check_budget(action: SetDisruptionBudget, live: ClusterSnapshot) -> None:
    view = next(b for b in live.budgets if b.name == action.target.name)
    ((name, wanted),) = action.values().items()
    now = getattr(view, name)
    if now is None:
        raise RejectedPlaybookError(
            RejectionRule.NOT_FOUND, f"{action.target} has no {name.replace('_', ' ')}"
        )
    total = live.replicas.desired
    if allows_one(view.min_available, view.max_unavailable, total):
        raise RejectedPlaybookError(
            RejectionRule.NO_CHANGE, f"{action.target} lets a pod be moved already"
        )
    if not isinstance(wanted, int):
        raise RejectedPlaybookError(
            RejectionRule.VALUE, f"{name.replace('_', ' ')} must be a number"
        )
    half = -(-total // 2)
    fine = half <= wanted < total if name == "min_available" else wanted == 1 < total
    if not fine:
        raise RejectedPlaybookError(
            RejectionRule.BOUNDS, "one pod may be moved at a time, and at least half of them stay"
        )


def allows_one(least: int | str | None, most: int | str | None, total: int) -> bool:
    """Return whether a budget ever lets one of so many pods be moved."""
    if most is not None:
        return pods_of(most, total) >= 1
    return least is None or pods_of(least, total) < total


def _check_strategy(action: SetUpdateStrategy, live: ClusterSnapshot) -> None:
    strategy = unstructured.mapping(live.workload, "spec", "strategy")
    if unstructured.text(strategy, "type") == "Recreate":
        raise RejectedPlaybookError(
            RejectionRule.VALUE, f"{action.target} replaces all pods at once"
        )
    rolling = unstructured.mapping(strategy, "rollingUpdate")
    now = {
        "max_surge": rolling.get("maxSurge", "25%"),
        "max_unavailable": rolling.get("maxUnavailable", "25%"),
    }
    new = {**now, **action.values()}
    if new == now:
        raise RejectedPlaybookError(
            RejectionRule.NO_CHANGE, f"{action.target} rolls out so already"
        )
    if not all(value in (0, 1) for value in action.values().values()):
        raise RejectedPlaybookError(
            RejectionRule.BOUNDS, "a rollout may add or take away one pod at a time, and no more"
        )
    if not any(pods_of(value, max(live.replicas.desired, 1)) for value in new.values()):
        raise RejectedPlaybookError(RejectionRule.VALUE, "a rollout must add or take away a pod")


def _check_node_selector(action: PatchNodeSelector, live: ClusterSnapshot) -> None:
    now = live.node_selector
    if all(now.get(key) == value for key, value in action.selector.items()):
        raise RejectedPlaybookError(
            RejectionRule.NO_CHANGE, f"{action.target} has this node selector already"
        )
    for key, value in action.selector.items():
        if value != now.get(key) and value not in earlier_values.node_labels(live, key):
            raise RejectedPlaybookError(
                RejectionRule.UNKNOWN_VALUE,
                f"{action.target} never asked for this {quote(key)}, and nodes have what it asks",
            )


def _check_job(action: ResumeJob, live: ClusterSnapshot) -> None:
    view = next(j for j in live.jobs if j.name == action.target.name)
    if not view.suspended or view.finished:
        raise RejectedPlaybookError(RejectionRule.NO_CHANGE, f"{action.target} is not suspended")


def _check_backend(action: SetIngressBackend, live: ClusterSnapshot) -> None:
    where = (action.rule, action.path)
    view = next(i for i in live.ingresses if i.name == action.target.name)
    path = next((p for p in view.paths if (p.rule, p.path) == where), None)
    if path is None or (path.host, path.http_path) != (action.host or "", action.http_path or ""):
        raise RejectedPlaybookError(
            RejectionRule.NOT_FOUND, f"{action.target} has no such path there"
        )
    if (path.service, path.port) == (action.service, action.port):
        raise RejectedPlaybookError(
            RejectionRule.NO_CHANGE, f"this path of {action.target} leads there"
        )
    possible = {(p.rule, p.path): found for p, found in misrouted_paths(action.target.name, live)}
    if where not in possible:
        raise RejectedPlaybookError(
            RejectionRule.NOT_OF_TARGET,
            f"this path of {action.target} is not one that {live.target} lacks",
        )
    leads_to = next((s for s in possible[where] if s.name == action.service), None)
    if leads_to is None or action.port not in ports_of(leads_to):
        raise RejectedPlaybookError(
            RejectionRule.UNKNOWN_VALUE,
            f"Service {action.service} has no such port of {live.target}",
        )


def _check_policy(action: AllowIngress | AllowEgress, live: ClusterSnapshot) -> None:
    view = next(p for p in live.network_policies if p.name == action.target.name)
    rules = view.ingress if isinstance(action, AllowIngress) else view.egress
    if rules is None:
        raise RejectedPlaybookError(
            RejectionRule.NO_CHANGE, f"{action.target} does not restrict this direction"
        )
    if action.position != len(rules):
        raise RejectedPlaybookError(
            RejectionRule.VALUE, f"a new rule of {action.target} belongs behind its {len(rules)}"
        )
    if isinstance(action, AllowIngress):
        _check_ingress(action, live)
    else:
        _check_egress(action, live)


def _check_ingress(action: AllowIngress, live: ClusterSnapshot) -> None:
    peers = selected_workloads(action.labels, live)
    if len(peers) != 1:
        raise RejectedPlaybookError(
            RejectionRule.UNKNOWN_VALUE,
            f"these are the labels of {len(peers)} other workloads, not of one",
        )
    if action.port not in earlier_values.target_ports(live):
        raise RejectedPlaybookError(
            RejectionRule.UNKNOWN_VALUE,
            f"no container of {live.target} declares port {quote(action.port)}",
        )
    if ingress_allowed(live.network_policies, live.neighbours[peers[0]], action.port):
        raise RejectedPlaybookError(RejectionRule.NO_CHANGE, f"{peers[0]} is let in already")


def _check_egress(action: AllowEgress, live: ClusterSnapshot) -> None:
    if action.labels is None:
        if egress_allowed(live.network_policies, None, DNS_PORT):
            raise RejectedPlaybookError(
                RejectionRule.NO_CHANGE, f"{live.target} reaches the DNS already"
            )
        return
    callee = next(
        (c for c in live.callees if c.labels == action.labels and action.port in c.ports), None
    )
    if callee is None or action.port is None:
        raise RejectedPlaybookError(
            RejectionRule.UNKNOWN_VALUE, f"{live.target} names no Service that leads to this port"
        )
    if egress_allowed(live.network_policies, callee, action.port):
        raise RejectedPlaybookError(
            RejectionRule.NO_CHANGE, f"{live.target} reaches {callee.service}"
        )


def _check_node(action: UncordonNode | RemoveTaint, live: ClusterSnapshot) -> None:
    view = next(n for n in live.nodes if n.name == action.target.name)
    if not could_take(view, live):
        raise RejectedPlaybookError(
            RejectionRule.NOT_OF_TARGET,
            f"{action.target} is not ready, or is no node for {live.target}",
        )
    if isinstance(action, UncordonNode):
        if not view.unschedulable:
            raise RejectedPlaybookError(RejectionRule.NO_CHANGE, f"{action.target} is not cordoned")
        return
    if _SYSTEM_TAINT.match(action.key):
        raise RejectedPlaybookError(
            RejectionRule.PROTECTED, f"the taint {action.key} is Kubernetes' own"
        )
    if not any((t.key, t.effect) == (action.key, action.effect) for t in view.taints):
        raise RejectedPlaybookError(RejectionRule.NO_CHANGE, f"{action.target} has no such taint")
    if not refuses(view, action.key, action.effect, live):
        raise RejectedPlaybookError(
            RejectionRule.NOT_OF_TARGET, f"the taint {action.key} does not hold {live.target} back"
        )


def could_take(view: NodeView, live: ClusterSnapshot) -> bool:
    """Return whether the target's pods may ask for this node, and it works."""
    wanted = live.node_selector.items()
    return view.ready and all(view.labels.get(key) == value for key, value in wanted)


def refuses(view: NodeView, key: str, effect: str, live: ClusterSnapshot) -> bool:
    """Return whether a taint of the node keeps the target's pods away."""
    if effect == "PreferNoSchedule":
        return False
    value = next((t.value for t in view.taints if (t.key, t.effect) == (key, effect)), "")
    return not any(
        unstructured.text(one, "effect") in ("", effect)
        and (
            unstructured.text(one, "key") in ("", key)
            if unstructured.text(one, "operator") == "Exists"
            else (unstructured.text(one, "key"), unstructured.text(one, "value")) == (key, value)
        )
        for one in unstructured.items(live.template, "spec", "tolerations")
    )
