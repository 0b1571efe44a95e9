"""What a run needs to write for its actions: static roles to bind, and a grant to narrow them."""

from collections.abc import Mapping, Sequence
from typing import Any

from reme_api.run_grant import GrantRule
from reme_playbook.actions.registry import Action
from reme_playbook.snapshot.object_ref import CLUSTER_SCOPED, PLURALS, ObjectRef


def _workload(resource: str, history: str, *, scales: bool) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = [
        {"apiGroups": ["apps"], "resources": [resource], "verbs": ["get", "patch"]},
        # Where a rollback finds the earlier template.
        {"apiGroups": ["apps"], "resources": [history], "verbs": ["list"]},
    ]
    if scales:
        rules.append(
            {"apiGroups": ["apps"], "resources": [f"{resource}/scale"], "verbs": ["patch"]}
        )
    return rules


def _one(resource: str, *verbs: str, group: str = "") -> list[dict[str, Any]]:
    return [{"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}]


RUN_ROLES: Mapping[str, list[dict[str, Any]]] = {
    "deployments": _workload("deployments", "replicasets", scales=True),
    "statefulsets": _workload("statefulsets", "controllerrevisions", scales=True),
    "daemonsets": _workload("daemonsets", "controllerrevisions", scales=False),
    "services": _one("services", "get", "patch"),
    "configmaps": _one("configmaps", "get", "patch"),
    "pods": _one("pods", "get", "delete"),
    "horizontalpodautoscalers": _one(
        "horizontalpodautoscalers", "get", "patch", group="autoscaling"
    ),
    "resourcequotas": _one("resourcequotas", "get", "patch"),
    "poddisruptionbudgets": _one("poddisruptionbudgets", "get", "patch", group="policy"),
    "jobs": _one("jobs", "get", "patch", group="batch"),
    "ingresses": _one("ingresses", "get", "patch", group="networking.k8s.io"),
    "networkpolicies": _one("networkpolicies", "get", "patch", group="networking.k8s.io"),
    "nodes": _one("nodes", "get", "patch"),
    "result": _one("configmaps", "get", "patch"),
}
"""The rules of the static roles that an administrator installs, by the suffix of their names.

All but two are bound in the target's namespace. `result` is bound in the namespace of the run, for
its own result ConfigMap; `nodes` is bound for the whole cluster, and is not installed where reme
watches only some namespaces. The run admission policy narrows each to the grant's objects and
fields.
"""


CLUSTER_ROLES: frozenset[str] = frozenset(PLURALS[kind] for kind in CLUSTER_SCOPED)
"""Those of them that are about objects in no namespace."""


def run_roles(actions: Sequence[Action]) -> frozenset[str]:
    """Return the suffixes of the roles to bind in the target's namespace."""
    return _roles(actions) - CLUSTER_ROLES


def cluster_roles(actions: Sequence[Action]) -> frozenset[str]:
    """Return the suffixes of the roles to bind for the whole cluster."""
    return _roles(actions) & CLUSTER_ROLES


def _roles(actions: Sequence[Action]) -> frozenset[str]:
    return frozenset(role for action in actions for role in action.roles())


Templates = Mapping[ObjectRef, Mapping[str, Any]]
"""The pod templates that rollbacks restore, by workload."""


def grant_rules(
    actions: Sequence[Action], run_id: str = "now", templates: Templates | None = None
) -> list[GrantRule]:
    """Return what the actions may write: one rule for each object, with the fields of all.

    Each field may become what the action sets it to and nothing else; without its template a
    rollback may write nothing at all.

    A field is a dotted path; a step into a list or into a map of free keys is in brackets:
    `spec.template.spec.containers[web].resources`, `…containers[web].env[DB_HOST]`,
    `spec.ports[80].targetPort`, `spec.selector[app]`, `data[color]`. What lies below a granted
    field is granted with it. A deletion has no fields.
    """
    rules: dict[tuple[str, str, str], GrantRule] = {}
    for action in actions:
        for rule in action.grants(run_id, (templates or {}).get(action.target)):
            key = (rule.resource, rule.namespace, rule.name)
            rules[key] = _merged(rules[key], rule) if key in rules else rule
    return list(rules.values())


def _merged(first: GrantRule, second: GrantRule) -> GrantRule:
    return first.model_copy(
        update={
            "verbs": sorted({*first.verbs, *second.verbs}),
            "fields": list(dict.fromkeys([*first.fields, *second.fields])),
            "values": {**first.values, **second.values},
        }
    )
