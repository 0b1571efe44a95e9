"""Which rights a run needs for its actions: static roles to bind, and a grant to narrow them."""

from collections.abc import Mapping, Sequence
from typing import Any

from reme_api.run_grant import GrantRule, Verb
from reme_playbook.actions.field_paths import dotted, granted, writes, written
from reme_playbook.actions.registry import Action, DeletePod, Rollback, Scale
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.object_ref import CLUSTER_SCOPED, PLURALS, ObjectRef
from reme_playbook.snapshot.pod_template import SERVER_LABELS


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

All but two are bound in the target's namespace. `result` is bound beside the run, for its own
result ConfigMap; `nodes` is bound for the whole cluster, and is not installed where reme watches
only some namespaces. The fence narrows each to the objects and fields of the grant.
"""


CLUSTER_ROLES: frozenset[str] = frozenset(PLURALS[kind] for kind in CLUSTER_SCOPED)
"""Those of them that are about objects in no namespace."""


def run_roles(actions: Sequence[Action]) -> frozenset[str]:
    """Return the suffixes of the roles to bind in the target's namespace."""
    return frozenset(a.target.plural for a in actions) - CLUSTER_ROLES


def cluster_roles(actions: Sequence[Action]) -> frozenset[str]:
    """Return the suffixes of the roles to bind for the whole cluster."""
    return frozenset(a.target.plural for a in actions) & CLUSTER_ROLES


Templates = Mapping[ObjectRef, Mapping[str, Any]]
"""The pod templates that rollbacks bring back, by workload."""


def grant_rules(
    actions: Sequence[Action], run_id: str = "now", templates: Templates | None = None
) -> list[GrantRule]:
    """Return what the actions may write: one rule for each object, with the fields of all.

    Each field may become what the action makes of it and nothing else; without its template a
    rollback may become nothing at all.

    A field is a dotted path; a step into a list or into a map of free keys stands in brackets:
    `spec.template.spec.containers[web].resources`, `…containers[web].env[DB_HOST]`,
    `spec.ports[80].targetPort`, `spec.selector[app]`, `data[color]`. What lies below a granted
    field is granted with it. A deletion has no fields.
    """
    rules: dict[tuple[str, str, str], GrantRule] = {}
    for action in actions:
        target = action.target
        resource = f"{target.plural}/scale" if isinstance(action, Scale) else target.plural
        verb = Verb.DELETE if isinstance(action, DeletePod) else Verb.UPDATE
        key = (resource, target.namespace, target.name)
        rule = rules.setdefault(
            key,
            GrantRule(
                group=target.group,
                resource=resource,
                namespace=target.namespace,
                name=target.name,
                verbs=[verb],
            ),
        )
        fields = (dotted(path) for path in granted(action))
        rule.fields = list(dict.fromkeys([*rule.fields, *fields]))
        rule.values = {**rule.values, **_values(action, run_id, templates or {})}
    return list(rules.values())


def _values(action: Action, run_id: str, templates: Templates) -> dict[str, Any]:
    if isinstance(action, Rollback):
        (path,) = written(action)
        template = templates.get(action.target)
        return {} if template is None else {dotted(path): grantable(template)}
    return {
        dotted(write.path): write.value
        for write in writes(action, run_id)
        if write.value is not None
    }


def grantable(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pod template as the fence compares it: what the server adds to it is left out."""
    metadata = unstructured.mapping(template, "metadata")
    return {
        "labels": {
            key: value
            for key, value in unstructured.strings(metadata, "labels").items()
            if key not in SERVER_LABELS
        },
        "annotations": unstructured.strings(metadata, "annotations"),
        "spec": dict(unstructured.mapping(template, "spec")),
    }
