"""The roles of the chart are what the code says that it needs, and nothing beyond."""

from typing import Any

import pytest

from reme_operator.app import rbac_rules
from reme_playbook.execution.grants import CLUSTER_ROLES, RUN_ROLES
from tests.support.chart import NAMESPACE, Object, Rendered, render

WATCHED_NAMESPACE_RULES = ["shop", "payments"]
WORKLOADS = {"apps", "batch"}


def canonical(rules: Any) -> list[tuple[tuple[str, tuple[str, ...]], ...]]:
    """Return rules in a form in which order says nothing."""
    return sorted(tuple(sorted((k, tuple(sorted(v))) for k, v in rule.items())) for rule in rules)


def rules_for(rendered: Rendered, account: str, namespace: str | None) -> list[Object]:
    """Return what the account may do: in a namespace, or everywhere when there is none."""
    binding, role = ("RoleBinding", "Role") if namespace else ("ClusterRoleBinding", "ClusterRole")
    rules: list[Object] = []
    for item in rendered.of(binding):
        if namespace and item["metadata"]["namespace"] != namespace:
            continue
        if any(s["name"] == account for s in item["subjects"]):
            assert item["roleRef"]["kind"] == role
            rules += rendered.one(role, item["roleRef"]["name"], namespace)["rules"]
    return rules


def test_cluster_wide_the_operator_may_do_what_rights_says() -> None:
    rendered = render("default")
    bind = rbac_rules.run_role_bind_rules("reme-run-", "ClusterRole")
    everywhere = rules_for(rendered, "reme-operator", None)
    assert canonical(everywhere) == canonical(
        [
            *rbac_rules.WATCHED_NAMESPACE_RULES,
            rbac_rules.READ_LOGS,
            *rbac_rules.CLUSTER,
            *bind["watched"],
        ]
    )
    at_home = rules_for(rendered, "reme-operator", NAMESPACE)
    assert canonical(at_home) == canonical([*rbac_rules.RELEASE, *bind["release"]])


def test_namespaced_the_operator_may_do_the_same_there_and_nothing_elsewhere() -> None:
    rendered = render("namespaced")
    bind = rbac_rules.run_role_bind_rules("reme-run-", "Role")
    for namespace in WATCHED_NAMESPACE_RULES:
        there = rules_for(rendered, "reme-operator", namespace)
        assert canonical(there) == canonical(
            [*rbac_rules.WATCHED_NAMESPACE_RULES, rbac_rules.READ_LOGS, *bind["watched"]]
        )
    at_home = rules_for(rendered, "reme-operator", NAMESPACE)
    assert canonical(at_home) == canonical([*rbac_rules.RELEASE, *bind["release"]])
    assert rules_for(rendered, "reme-operator", None) == []


def test_logs_are_read_where_targets_live_unless_the_release_says_no() -> None:
    logs = canonical([rbac_rules.READ_LOGS])[0]
    for values, namespace in (("default", None), ("namespaced", "shop")):
        assert logs in canonical(rules_for(render(values), "reme-operator", namespace))
        without = render(values, "rbac.readLogs=false")
        assert logs not in canonical(rules_for(without, "reme-operator", namespace))
    assert logs not in canonical(rules_for(render("default"), "reme-operator", NAMESPACE))


def test_namespaced_there_is_no_cluster_role_at_all_without_the_roles_of_users() -> None:
    rendered = render("namespaced")
    assert rendered.of("ClusterRole", "ClusterRoleBinding") == []
    assert {o["metadata"]["namespace"] for o in rendered.of("Role")} == {
        NAMESPACE,
        *WATCHED_NAMESPACE_RULES,
    }


def test_namespaced_no_cluster_role_is_about_workloads() -> None:
    rendered = render("everything")
    groups = {g for o in rendered.of("ClusterRole") for r in o["rules"] for g in r["apiGroups"]}
    assert groups == {"reme.dev"}


@pytest.mark.parametrize("values", ["default", "namespaced", "everything"])
def test_no_role_has_a_wildcard_or_reads_secrets(values: str) -> None:
    roles = render(values).of("Role", "ClusterRole")
    assert roles
    for role in roles:
        for rule in role["rules"]:
            items = [word for words in rule.values() for word in words]
            assert not any("*" in word for word in items), role["metadata"]["name"]
            assert "secrets" not in rule["resources"], role["metadata"]["name"]
            assert not {"escalate", "impersonate"} & set(rule["verbs"]), role["metadata"]["name"]


def test_the_operator_writes_no_workload() -> None:
    rules = rules_for(render("default"), "reme-operator", None)
    written = {
        resource
        for rule in rules
        if set(rule["apiGroups"]) & WORKLOADS and set(rule["verbs"]) - {"get", "list", "watch"}
        for resource in rule["resources"]
    }
    assert written == set()


def test_what_may_be_bound_is_named_one_by_one() -> None:
    for values in ("default", "namespaced"):
        for role in render(values).of("Role", "ClusterRole"):
            for rule in role["rules"]:
                if "bind" in rule["verbs"]:
                    assert rule["verbs"] == ["bind"]
                    assert all(name.startswith("reme-run-") for name in rule["resourceNames"])


@pytest.mark.parametrize(
    ("values", "kind", "namespaces", "prefix"),
    [
        ("default", "ClusterRole", [None], "reme-run-"),
        ("namespaced", "Role", WATCHED_NAMESPACE_RULES, "reme-run-"),
        ("everything", "Role", WATCHED_NAMESPACE_RULES, "repairs-run-"),
    ],
)
def test_the_roles_of_runs_are_what_the_sandbox_says(
    values: str, kind: str, namespaces: list[str | None], prefix: str
) -> None:
    rendered = render(values)
    # In no namespace there is nothing for a Role to be about.
    installed = {n: r for n, r in RUN_ROLES.items() if kind != "Role" or n not in CLUSTER_ROLES}
    for suffix, rules in installed.items():
        if suffix == rbac_rules.RESULT_ROLE:
            role = rendered.one("Role", f"{prefix}{suffix}", NAMESPACE)
            assert canonical(role["rules"]) == canonical(rules)
            continue
        for namespace in namespaces:
            role = rendered.one(kind, f"{prefix}{suffix}", namespace)
            assert canonical(role["rules"]) == canonical(rules), suffix
    names = {o["metadata"]["name"] for o in rendered.of("Role", "ClusterRole")}
    assert {n for n in names if n.startswith(prefix)} == {f"{prefix}{s}" for s in installed}


def test_namespaced_nobody_reads_a_node_or_binds_a_cluster_role() -> None:
    for role in render("namespaced").of("Role", "ClusterRole"):
        for rule in role["rules"]:
            assert not {"nodes", "clusterrolebindings"} & set(rule["resources"])
            assert not any(name.endswith("-run-nodes") for name in rule.get("resourceNames", ()))


def test_no_run_role_creates_or_deletes_anything_but_a_pod() -> None:
    for role in render("default").of("ClusterRole"):
        if role["metadata"]["name"].startswith("reme-run-"):
            for rule in role["rules"]:
                allowed = {"get", "list", "patch"} | ({"delete"} & {*rule["verbs"]})
                assert set(rule["verbs"]) <= allowed
                assert "delete" not in rule["verbs"] or rule["resources"] == ["pods"]


def test_no_run_role_is_bound_by_the_chart() -> None:
    for values in ("default", "namespaced", "everything"):
        for binding in render(values).of("RoleBinding", "ClusterRoleBinding"):
            assert "-run-" not in binding["roleRef"]["name"]


def test_the_roles_of_users_reach_no_status_and_no_policy() -> None:
    for role in render("default").of("ClusterRole"):
        if role["metadata"]["name"] in {"reme-view", "reme-report", "reme-approve"}:
            for rule in role["rules"]:
                assert rule["apiGroups"] == ["reme.dev"]
                assert not any("/" in r for r in rule["resources"])
                if "remediationpolicies" in rule["resources"]:
                    assert set(rule["verbs"]) == {"get", "list", "watch"}


def test_without_rbac_create_no_right_of_the_operator_is_made() -> None:
    rendered = render(None, "rbac.create=false", "rbac.userRoles=false")
    assert rules_for(rendered, "reme-operator", None) == []
    assert rules_for(rendered, "reme-operator", NAMESPACE) == []
