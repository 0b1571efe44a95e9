"""Which rights a run needs for its actions: static roles to bind, and a grant to narrow them."""

from collections.abc import Mapping, Sequence
from typing import Any

from reme_api.run_grant import GrantRule, Verb
from reme_sandbox.actions import Action, DeletePod, Scale
from reme_sandbox.fields import dotted, granted

_GROUPS = {"deployments": "apps", "statefulsets": "apps", "daemonsets": "apps"}


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


def _core(resource: str, *verbs: str) -> list[dict[str, Any]]:
    return [{"apiGroups": [""], "resources": [resource], "verbs": list(verbs)}]


RUN_ROLES: Mapping[str, list[dict[str, Any]]] = {
    "deployments": _workload("deployments", "replicasets", scales=True),
    "statefulsets": _workload("statefulsets", "controllerrevisions", scales=True),
    "daemonsets": _workload("daemonsets", "controllerrevisions", scales=False),
    "services": _core("services", "get", "patch"),
    "configmaps": _core("configmaps", "get", "patch"),
    "pods": _core("pods", "get", "delete"),
    "result": _core("configmaps", "get", "patch"),
}
"""The rules of the static roles that an administrator installs, by the suffix of their names.

All but `result` are bound in the target's namespace; `result` is bound beside the run, for its
own result ConfigMap. The fence narrows each to the objects and fields of the grant.
"""


def run_roles(actions: Sequence[Action]) -> frozenset[str]:
    """Return the suffixes of the roles to bind in the target's namespace."""
    return frozenset(action.target.plural for action in actions)


def grant_rules(actions: Sequence[Action]) -> list[GrantRule]:
    """Return what the actions may write: one rule for each object, with the fields of all.

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
                group=_GROUPS.get(target.plural, ""),
                resource=resource,
                namespace=target.namespace,
                name=target.name,
                verbs=[verb],
            ),
        )
        fields = (dotted(path) for path in granted(action))
        rule.fields = list(dict.fromkeys([*rule.fields, *fields]))
    return list(rules.values())
