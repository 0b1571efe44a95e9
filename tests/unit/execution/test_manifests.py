"""The objects of a run."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import kubernetes_validate
import pytest

from reme_api.policy import Sandbox
from reme_api.run_grant import GrantRule, RunGrantSpec, Verb
from reme_playbook.actions.env import SetEnv, UnsetEnv
from reme_playbook.actions.node import UncordonNode
from reme_playbook.actions.resources import SetResources
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.scale import Scale
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.execution import manifests as manifests_module
from reme_playbook.execution import result
from reme_playbook.execution.grants import grant_rules
from reme_playbook.execution.manifests import RunRequest, manifests
from reme_playbook.execution.pod import PodOptions
from reme_playbook.snapshot.object_ref import ObjectRef

CART = ObjectRef("Deployment", "shop", "cart")
CREATED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
REQUEST = RunRequest(
    remediation_uid="0a1b2c3d-aaaa-bbbb-cccc-000000000000",
    remediation_name="cart-1",
    target_namespace="shop",
    attempt=1,
    actions=(
        Restart(target=CART),
        SetResources(target=CART, container="app", memory_limit="128Mi"),
        Scale(target=CART, replicas=3),
    ),
    created=CREATED,
    release_namespace="reme-system",
    image="localhost/reme-sandbox:dev",
    sandbox=Sandbox(),
)


def everything(request: RunRequest = REQUEST) -> list[dict[str, Any]]:
    made = manifests(request)
    return [
        made.grant,
        made.input_config_map,
        made.result_config_map,
        made.service_account,
        *made.role_bindings,
        made.job,
    ]


def pod(request: RunRequest = REQUEST) -> dict[str, Any]:
    spec: dict[str, Any] = manifests(request).job["spec"]["template"]["spec"]
    return spec


def test_the_same_request_gives_the_same_bytes() -> None:
    assert json.dumps(everything()) == json.dumps(everything(replace(REQUEST)))


def test_every_object_is_named_after_the_run() -> None:
    names = {(m["kind"], m["metadata"]["namespace"], m["metadata"]["name"]) for m in everything()}
    run = "reme-0a1b2c3d-1"
    assert names == {
        ("RunGrant", "reme-system", run),
        ("ConfigMap", "reme-system", f"{run}-input"),
        ("ConfigMap", "reme-system", f"{run}-result"),
        ("ServiceAccount", "reme-system", run),
        ("RoleBinding", "shop", f"{run}-deployments"),
        ("RoleBinding", "reme-system", f"{run}-result"),
        ("Job", "reme-system", run),
    }


def test_a_rollback_shares_no_object_with_its_run() -> None:
    rollback = replace(REQUEST, is_rollback=True, actions=(Scale(target=CART, replicas=0),))
    first = {(m["kind"], m["metadata"]["name"]) for m in everything()}
    second = {(m["kind"], m["metadata"]["name"]) for m in everything(rollback)}
    assert not first & second
    assert manifests(rollback).job["metadata"]["name"] == "reme-0a1b2c3d-1-rollback"


def test_only_the_pod_of_a_rollback_gets_that_it_is_one() -> None:
    def is_rollback(request: RunRequest) -> str:
        env = {e["name"]: e.get("value") for e in pod(request)["containers"][0]["env"]}
        return str(env["REME_IS_ROLLBACK"])

    assert is_rollback(REQUEST) == "false"
    assert is_rollback(replace(REQUEST, is_rollback=True)) == "true"


@pytest.mark.parametrize("manifest", everything(), ids=lambda m: str(m["kind"]))
def test_every_object_is_labelled_with_its_remediation(manifest: dict[str, Any]) -> None:
    assert manifest["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "reme",
        "reme.dev/remediation-uid": REQUEST.remediation_uid,
        "reme.dev/remediation-name": "cart-1",
        "reme.dev/remediation-namespace": "shop",
        "reme.dev/attempt": "1",
    }


@pytest.mark.parametrize(
    "manifest", [m for m in everything() if m["kind"] != "RunGrant"], ids=lambda m: str(m["kind"])
)
def test_every_object_is_valid(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, "1.34", strict=True)


def test_a_long_name_fits_into_a_label_and_stays_distinct() -> None:
    one, other = "a" * 200, "a" * 199 + "b"
    for name in (one, other):
        assert len(manifests_module.label_value(name)) <= 63
    assert manifests_module.label_value(one) != manifests_module.label_value(other)
    assert manifests_module.label_value("short") == "short"
    cut = manifests_module.label_value("a" * 51 + "." + "b" * 100)
    assert ".-" not in cut


def test_only_the_binding_in_the_targets_namespace_is_owned_by_the_remediation() -> None:
    owners = {
        m["metadata"]["namespace"]: m["metadata"].get("ownerReferences")
        for m in manifests(REQUEST).role_bindings
    }
    assert owners["reme-system"] is None
    assert owners["shop"] == [
        {
            "apiVersion": "reme.dev/v1alpha1",
            "kind": "Remediation",
            "name": "cart-1",
            "uid": REQUEST.remediation_uid,
        }
    ]


def test_the_bindings_grant_run_roles_to_this_run_only() -> None:
    request = replace(REQUEST, role_kind="Role", role_prefix="mine-run-")
    roles = {
        m["metadata"]["namespace"]: (m["roleRef"]["kind"], m["roleRef"]["name"])
        for m in manifests(request).role_bindings
    }
    assert roles == {
        "shop": ("Role", "mine-run-deployments"),
        "reme-system": ("Role", "mine-run-result"),
    }
    for binding in manifests(REQUEST).role_bindings:
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": "reme-0a1b2c3d-1", "namespace": "reme-system"}
        ]
    # The role of the result is in the namespace of the run, whichever kind the others are.
    assert manifests(REQUEST).role_bindings[-1]["roleRef"]["kind"] == "Role"


def test_a_run_on_a_node_is_bound_for_the_whole_cluster_and_may_be_on_that_node() -> None:
    node = ObjectRef("Node", "", "worker-1")
    made = manifests(replace(REQUEST, actions=(*REQUEST.actions, UncordonNode(target=node))))
    (cluster_binding,) = (b for b in made.role_bindings if b["kind"] == "ClusterRoleBinding")
    assert cluster_binding["metadata"]["name"] == "reme-0a1b2c3d-1-nodes"
    assert set(cluster_binding["metadata"]) == {"name", "labels"}
    assert cluster_binding["roleRef"]["kind"] == "ClusterRole"
    assert cluster_binding["roleRef"]["name"] == f"{REQUEST.role_prefix}nodes"
    assert cluster_binding["subjects"] == made.role_bindings[-1]["subjects"]
    pod = made.job["spec"]["template"]["spec"]
    assert pod["tolerations"] == [{"operator": "Exists"}]
    assert "tolerations" not in manifests(REQUEST).job["spec"]["template"]["spec"]
    rules = RunGrantSpec.model_validate(made.grant["spec"]).rules
    assert [(r.namespace, r.fields) for r in rules if r.resource == "nodes"] == [
        ("", ["spec.unschedulable"])
    ]


def test_the_grant_is_for_this_run_and_its_own_result() -> None:
    grant = RunGrantSpec.model_validate(manifests(REQUEST).grant["spec"])
    assert grant.username == "system:serviceaccount:reme-system:reme-0a1b2c3d-1"
    own = [r for r in grant.rules if r.namespace == "reme-system"]
    assert [(r.resource, r.name, r.verbs) for r in own] == [
        ("configmaps", "reme-0a1b2c3d-1-result", [Verb.UPDATE])
    ]
    assert {f"data[{key}]" for key in manifests(REQUEST).result_config_map["data"]} == set(
        own[0].fields
    )


def test_the_grant_has_one_rule_for_each_object() -> None:
    """The admission policy evaluates the first rule of an object only."""
    rules = manifests_module.rules(REQUEST)
    keys = [(r.group, r.resource, r.namespace, r.name) for r in rules]
    assert len(keys) == len(set(keys))
    deployment = next(r for r in rules if r.resource == "deployments")
    assert "spec.template.spec.containers[app].resources" in deployment.fields
    assert "spec.template.metadata.annotations[reme.dev/restarted-at]" in deployment.fields


def test_rules_of_one_object_are_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    def rule(verb: Verb, *fields: str) -> GrantRule:
        return GrantRule(
            resource="pods",
            namespace="shop",
            name="a",
            verbs=[verb],
            fields=list(fields),
            values={field: field.upper() for field in fields},
        )

    parts = [rule(Verb.UPDATE, "x", "y"), rule(Verb.DELETE), rule(Verb.UPDATE, "y", "z")]
    monkeypatch.setattr(Scale, "grants", lambda *_: parts)
    (merged,) = grant_rules([Scale(target=CART, replicas=2)])
    assert merged.fields == ["x", "y", "z"]
    assert merged.values == {"x": "X", "y": "Y", "z": "Z"}
    assert set(merged.verbs) == {Verb.UPDATE, Verb.DELETE}


def test_the_grant_expires_soon_after_the_job() -> None:
    made = manifests(REQUEST)
    ends = RunGrantSpec.model_validate(made.grant["spec"]).not_after
    deadline = made.job["spec"]["activeDeadlineSeconds"]
    grace = pod()["terminationGracePeriodSeconds"]
    assert ends >= CREATED + timedelta(seconds=deadline + grace)
    assert ends <= CREATED + timedelta(seconds=deadline + grace + 60)


def test_the_playbook_in_the_pod_compiles_to_the_actions() -> None:
    made = manifests(REQUEST).input_config_map
    assert made["immutable"] is True
    assert compile_playbook(made["data"]["playbook.json"]) == REQUEST.actions
    assert "reme-0a1b2c3d-1" in made["data"]["playbook.json"]  # the value of the restart annotation


def test_a_rollback_may_contain_what_no_playbook_may() -> None:
    actions = (UnsetEnv(target=CART, container="app", variable="MODE"),)
    text = manifests(replace(REQUEST, is_rollback=True, actions=actions)).input_config_map["data"]
    assert compile_playbook(text["playbook.json"], for_rollback=True) == actions


def test_the_digest_changes_with_the_playbook() -> None:
    def digest(request: RunRequest) -> str:
        env = {e["name"]: e.get("value") for e in pod(request)["containers"][0]["env"]}
        return str(env["REME_PLAYBOOK_DIGEST"])

    other = replace(
        REQUEST, actions=(SetEnv(target=CART, container="app", variable="A", value="b"),)
    )
    assert digest(REQUEST) == digest(replace(REQUEST))
    assert digest(REQUEST) != digest(other)


def test_the_result_starts_unclaimed_and_empty() -> None:
    data = manifests(REQUEST).result_config_map["data"]
    assert result.parse_claim(data) is None
    assert result.parse_result(data) is None


def test_the_job_runs_once() -> None:
    spec = manifests(REQUEST).job["spec"]
    assert spec["backoffLimit"] == 0
    assert spec["completions"] == spec["parallelism"] == 1
    assert spec["podReplacementPolicy"] == "Failed"
    assert pod()["restartPolicy"] == "Never"


def test_the_pod_is_restricted() -> None:
    spec = pod()
    container = spec["containers"][0]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys()
    assert spec["enableServiceLinks"] is False
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}


def test_the_pod_mounts_no_secret_but_its_own_short_lived_token() -> None:
    spec = pod()
    assert spec["automountServiceAccountToken"] is False
    assert manifests(REQUEST).service_account["automountServiceAccountToken"] is False
    kinds = {v["name"]: next(k for k in v if k != "name") for v in spec["volumes"]}
    assert kinds == {"tmp": "emptyDir", "input": "configMap", "token": "projected"}
    sources = next(v for v in spec["volumes"] if v["name"] == "token")["projected"]["sources"]
    assert sources[0]["serviceAccountToken"]["expirationSeconds"] == 600
    assert not {"secret", "secretKeyRef", "secretRef", "envFrom"} & set(_keys(spec))


def _keys(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for inner in value.values() for key in _keys(inner))]
    return [key for inner in value for key in _keys(inner)] if isinstance(value, list) else []


def test_the_administrators_options_reach_the_pod() -> None:
    options = PodOptions(
        image_pull_secrets=("registry",),
        node_selector={"pool": "ops"},
        tolerations=({"key": "ops", "operator": "Exists"},),
        priority_class_name="high",
        runtime_class_name="gvisor",
    )
    request = replace(REQUEST, pod=options)
    spec = pod(request)
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert spec["nodeSelector"] == {"pool": "ops"}
    assert spec["tolerations"] == [{"key": "ops", "operator": "Exists"}]
    assert (spec["priorityClassName"], spec["runtimeClassName"]) == ("high", "gvisor")
    kubernetes_validate.validate(manifests(request).job, "1.34", strict=True)
