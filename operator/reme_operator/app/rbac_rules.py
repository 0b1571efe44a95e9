"""The RBAC rules of the operator, as data; a test compares the chart with them.

`WATCHED_NAMESPACE_RULES` are needed wherever reports and targets live: in a ClusterRole, together
with `CLUSTER`, when reme watches the whole cluster, otherwise in one Role per watched namespace.
`RELEASE` is a Role in the release namespace, where the runs live. Reme's own kinds are in both,
because policies of the release namespace hold everywhere.

There is no wildcard, no access to Secrets, no exec and no write to any workload: a target is
changed by its run, with permissions that only `bind` can grant.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypedDict

from reme_playbook.execution.grants import CLUSTER_ROLES, RUN_ROLES


class Rule(TypedDict, total=False):
    """A rule as RBAC spells it."""

    apiGroups: list[str]
    resources: list[str]
    resourceNames: list[str]
    verbs: list[str]


LEASE_NAME = "reme-operator"
"""The lease of the leader; rules on leases are narrowed to it where RBAC can."""

RESULT_ROLE = "result"
"""Suffix of the role with which a run writes its result; bound in the release namespace."""

_OWN_KINDS: tuple[Rule, ...] = (
    {
        "apiGroups": ["reme.dev"],
        "resources": ["diagnosisreports", "remediationpolicies"],
        "verbs": ["get", "list", "watch"],
    },
    {
        # patch: the finalizer; delete: retention
        "apiGroups": ["reme.dev"],
        "resources": ["remediations"],
        "verbs": ["get", "list", "watch", "create", "patch", "delete"],
    },
    {
        "apiGroups": ["reme.dev"],
        "resources": [
            "diagnosisreports/status",
            "remediationpolicies/status",
            "remediations/status",
        ],
        "verbs": ["get", "update", "patch"],
    },
    {"apiGroups": ["", "events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]},
)

WATCHED_NAMESPACE_RULES: tuple[Rule, ...] = (
    *_OWN_KINDS,
    {
        # reports about the cause of a fault; `follow` is what the follow-up admission policy asks
        "apiGroups": ["reme.dev"],
        "resources": ["diagnosisreports"],
        "verbs": ["create", "follow"],
    },
    {
        # watch: what verification polls
        "apiGroups": ["apps"],
        "resources": ["deployments", "statefulsets", "daemonsets", "replicasets"],
        "verbs": ["get", "list", "watch"],
    },
    {"apiGroups": ["apps"], "resources": ["controllerrevisions"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
    {
        "apiGroups": [""],
        "resources": ["services", "events", "resourcequotas"],
        "verbs": ["get", "list"],
    },
    {
        "apiGroups": ["autoscaling"],
        "resources": ["horizontalpodautoscalers"],
        "verbs": ["get", "list"],
    },
    {"apiGroups": ["policy"], "resources": ["poddisruptionbudgets"], "verbs": ["get", "list"]},
    {
        "apiGroups": ["networking.k8s.io"],
        "resources": ["ingresses", "networkpolicies"],
        "verbs": ["get", "list"],
    },
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list"]},
    {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["get", "list"]},
    {"apiGroups": ["metrics.k8s.io"], "resources": ["pods"], "verbs": ["get", "list"]},
    {
        # get: what a target references; create: the immutable texts of a remediation
        "apiGroups": [""],
        "resources": ["configmaps"],
        "verbs": ["get", "create"],
    },
    {
        "apiGroups": ["rbac.authorization.k8s.io"],
        "resources": ["rolebindings"],
        "verbs": ["get", "create", "delete"],
    },
)

READ_LOGS: Rule = {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}
"""In addition where targets live, unless `rbac.readLogs` is false: inspections of ThinkRemed."""

CLUSTER: tuple[Rule, ...] = (
    {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list"]},
    {
        # for runs on nodes; an admission policy keeps it to those
        "apiGroups": ["rbac.authorization.k8s.io"],
        "resources": ["clusterrolebindings"],
        "verbs": ["get", "create", "delete"],
    },
)
"""Needed in addition where reme watches the whole cluster, and only there."""

RELEASE: tuple[Rule, ...] = (
    *_OWN_KINDS,
    {
        "apiGroups": ["reme.dev"],
        "resources": ["rungrants"],
        "verbs": ["get", "list", "create", "delete"],
    },
    {
        "apiGroups": ["batch"],
        "resources": ["jobs"],
        "verbs": ["get", "list", "watch", "create", "delete"],
    },
    {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "verbs": ["get", "list", "watch", "create", "delete"],
    },
    {
        "apiGroups": [""],
        "resources": ["serviceaccounts"],
        "verbs": ["get", "create", "delete"],
    },
    {
        # of runs, for dry runs alone: admission sees to both
        "apiGroups": [""],
        "resources": ["serviceaccounts/token"],
        "verbs": ["create"],
    },
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
    {
        "apiGroups": ["rbac.authorization.k8s.io"],
        "resources": ["rolebindings"],
        "verbs": ["get", "create", "delete"],
    },
    {
        # RBAC cannot narrow a creation to a name
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "verbs": ["create"],
    },
    {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "resourceNames": [LEASE_NAME],
        "verbs": ["get", "update", "patch"],
    },
)


def run_role_bind_rules(prefix: str, kind: str = "ClusterRole") -> Mapping[str, tuple[Rule, ...]]:
    """Return the rules to bind the run roles, and nothing else, per part: watched and release.

    The roles of the targets are of the given kind; the role of the result is always a Role. Roles
    about objects in no namespace are only there as ClusterRoles.
    """
    plural = {"ClusterRole": "clusterroles", "Role": "roles"}[kind]
    targets = {name for name in RUN_ROLES if name != RESULT_ROLE}
    if kind == "Role":
        targets -= CLUSTER_ROLES
    watched: Rule = {
        "apiGroups": ["rbac.authorization.k8s.io"],
        "resources": [plural],
        "resourceNames": [f"{prefix}{name}" for name in sorted(targets)],
        "verbs": ["bind"],
    }
    release: Rule = {
        "apiGroups": ["rbac.authorization.k8s.io"],
        "resources": ["roles"],
        "resourceNames": [f"{prefix}{RESULT_ROLE}"],
        "verbs": ["bind"],
    }
    return MappingProxyType({"watched": (watched,), "release": (release,)})
