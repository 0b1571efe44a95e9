"""What the operator may do is little, named, and never more than it uses."""

import pytest

from reme_operator.app.rbac_rules import (
    CLUSTER,
    LEASE_NAME,
    READ_LOGS,
    RELEASE,
    WATCHED_NAMESPACE_RULES,
    Rule,
    run_role_bind_rules,
)
from reme_playbook.execution.grants import CLUSTER_ROLES, RUN_ROLES
from reme_playbook.inspections.registry import PUBLIC, Inspection

READS = {"get", "list", "watch"}
BINDS = [rule for part in run_role_bind_rules("reme-run-").values() for rule in part]
ALL: list[Rule] = [*WATCHED_NAMESPACE_RULES, READ_LOGS, *CLUSTER, *RELEASE, *BINDS]


@pytest.mark.parametrize("rule", ALL, ids=str)
def test_nothing_is_a_wildcard_and_nothing_is_secret(rule: Rule) -> None:
    words = [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
    assert not any("*" in word for word in words)
    assert "secrets" not in rule["resources"]
    assert not {"escalate", "impersonate", "deletecollection"} & set(rule["verbs"])
    assert not {"pods/exec", "pods/attach"} & set(rule["resources"])
    if "serviceaccounts/token" in rule["resources"]:  # of runs, by admission, for dry runs alone
        assert rule in RELEASE
        assert rule["verbs"] == ["create"]


def test_no_workload_is_written() -> None:
    for rule in ALL:
        if "apps" in rule["apiGroups"]:
            assert set(rule["verbs"]) <= READS


def test_where_targets_live_only_records_and_bindings_are_written() -> None:
    written = {
        resource
        for rule in WATCHED_NAMESPACE_RULES
        if set(rule["verbs"]) - READS
        for resource in rule["resources"]
        if "reme.dev" not in rule["apiGroups"]
    }
    assert written == {"events", "configmaps", "rolebindings"}
    (texts,) = [r for r in WATCHED_NAMESPACE_RULES if r["resources"] == ["configmaps"]]
    assert texts["verbs"] == ["get", "create"]


def test_reports_are_created_where_targets_live_and_never_changed() -> None:
    verbs = {
        verb
        for rule in ALL
        if "diagnosisreports" in rule["resources"]
        for verb in set(rule["verbs"]) - READS
    }
    assert verbs == {"create", "follow"}
    (rule,) = [rule for rule in ALL if "follow" in rule["verbs"]]
    assert rule in WATCHED_NAMESPACE_RULES
    assert rule["resources"] == ["diagnosisreports"]


def test_only_the_run_roles_are_bound_and_each_by_name() -> None:
    for kind, roles in (("ClusterRole", {*RUN_ROLES}), ("Role", {*RUN_ROLES} - CLUSTER_ROLES)):
        parts = run_role_bind_rules("x-run-", kind)
        named = [name for part in parts.values() for rule in part for name in rule["resourceNames"]]
        assert sorted(named) == sorted(f"x-run-{suffix}" for suffix in roles)
    assert all(rule["verbs"] == ["bind"] for part in parts.values() for rule in part)


def test_of_what_is_in_no_namespace_only_bindings_are_written() -> None:
    written = {r for rule in CLUSTER if set(rule["verbs"]) - READS for r in rule["resources"]}
    assert written == {"clusterrolebindings"}


def test_the_lease_is_the_only_one_that_is_changed() -> None:
    for rule in RELEASE:
        if rule["resources"] == ["leases"] and set(rule["verbs"]) != {"create"}:
            assert rule["resourceNames"] == [LEASE_NAME]


@pytest.mark.parametrize("inspection", PUBLIC.values(), ids=lambda one: str(one.NAME))
def test_the_operator_may_read_what_inspections_need_and_never_secrets(
    inspection: type[Inspection],
) -> None:
    readable = {
        f"{resource}.{group}".rstrip(".")
        for rule in [*WATCHED_NAMESPACE_RULES, READ_LOGS, *CLUSTER]
        if {"get", "list"} & set(rule["verbs"])
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert set(inspection.RIGHTS) <= readable
    assert not any("secret" in right for right in inspection.RIGHTS)
