"""The default policy, the notes, and what is kept."""

from pathlib import Path

import pytest
import yaml

from reme_api.actions import ActionName
from reme_api.diagnosis_report import DiagnosisReportSpec
from reme_api.policy import Mode, RemediationPolicy
from tests.support.chart import CHART, HelmError, Rendered, notes, render

SERVED = ("--api-versions", "reme.dev/v1alpha1/RemediationPolicy")


def policy(rendered: Rendered) -> RemediationPolicy:
    (obj,) = rendered.of("RemediationPolicy")
    return RemediationPolicy.model_validate(obj)


# A node is everybody's: who wants it touched says so.
ON_NODES = {ActionName.UNCORDON_NODE, ActionName.REMOVE_TAINT}


def test_the_default_policy_observes_and_knows_every_action_of_a_namespace() -> None:
    result = policy(render("default"))
    assert result.metadata.namespace == "reme-system"
    assert result.spec.mode is Mode.OBSERVE
    assert {a.name for a in result.spec.actions} == set(ActionName) - ON_NODES
    for action in result.spec.actions:
        assert action.max_increase_percent == 100
        assert action.max_decrease_percent == 0


def test_the_default_policy_takes_what_the_values_say() -> None:
    result = policy(render("everything"))
    assert result.spec.mode is Mode.AUTO
    assert [a.name for a in result.spec.actions] == [ActionName.RESTART, ActionName.ROLLBACK]
    assert result.spec.max_attempts == 1
    assert result.spec.budgets.max_per_hour == 4
    assert result.spec.targets


def test_the_default_policy_comes_after_its_definition() -> None:
    (obj,) = render("default").of("RemediationPolicy")
    annotations = obj["metadata"]["annotations"]
    assert annotations["helm.sh/hook"] == "post-install,post-upgrade"
    assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation"


def test_the_first_installation_waits_for_the_definitions() -> None:
    first = render("default").one("Job", "reme-wait-for-crds")
    assert first["metadata"]["annotations"]["helm.sh/hook"] == "post-install"
    assert int(first["metadata"]["annotations"]["helm.sh/hook-weight"]) < 0
    assert render("default", options=SERVED).of("Job") == []
    assert render("default", "crds.enabled=false").of("Job") == []
    assert render("default", "defaultPolicy.enabled=false").of("Job") == []


def test_without_a_default_policy_there_is_none() -> None:
    assert render("default", "defaultPolicy.enabled=false").of("RemediationPolicy") == []


def test_an_upgrade_that_turns_the_policy_off_removes_it() -> None:
    upgrade = (*SERVED, "--is-upgrade")
    (obj,) = render("default", "defaultPolicy.enabled=false", options=upgrade).of(
        "RemediationPolicy"
    )
    policies = obj["metadata"]["annotations"]["helm.sh/hook-delete-policy"].split(",")
    assert set(policies) == {"before-hook-creation", "hook-succeeded"}
    # for the moment that it exists it allows nothing
    parsed = RemediationPolicy.model_validate(obj)
    assert parsed.spec.suspend is True
    assert parsed.spec.actions == []


def test_the_definitions_are_kept_unless_that_is_refused() -> None:
    for crd in render("default").of("CustomResourceDefinition"):
        assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    for crd in render("everything").of("CustomResourceDefinition"):
        assert "helm.sh/resource-policy" not in crd["metadata"].get("annotations", {})
    assert render("default", "crds.enabled=false").of("CustomResourceDefinition") == []


def test_a_playbook_is_approved_by_those_who_may() -> None:
    rendered = render("default")
    spec = rendered.one("ValidatingAdmissionPolicy", "reme-approval")["spec"]
    (rule,) = spec["matchConstraints"]["resourceRules"]
    assert rule["resources"] == ["remediations"]
    assert "check('approve').allowed()" in spec["validations"][0]["expression"]
    role = rendered.one("ClusterRole", "reme-approve")
    assert "approve" in role["rules"][0]["verbs"]
    binding = rendered.one("ValidatingAdmissionPolicyBinding", "reme-approval")["spec"]
    assert binding["validationActions"] == ["Deny"]


def test_a_report_that_names_a_remediation_as_its_origin_is_created_by_the_operator() -> None:
    for values in ("default", "namespaced"):
        rendered = render(values)
        spec = rendered.one("ValidatingAdmissionPolicy", "reme-follow-up")["spec"]
        (rule,) = spec["matchConstraints"]["resourceRules"]
        assert (rule["operations"], rule["resources"]) == (["CREATE"], ["diagnosisreports"])
        assert "check('follow').allowed()" in spec["validations"][0]["expression"]
        binding = rendered.one("ValidatingAdmissionPolicyBinding", "reme-follow-up")["spec"]
        assert binding["validationActions"] == ["Deny"]
        may_follow = {
            role["metadata"]["name"]
            for role in rendered.of("Role", "ClusterRole")
            if any("follow" in rule["verbs"] for rule in role["rules"])
        }
        assert may_follow == {"reme-operator"}


def test_the_operator_creates_no_report_but_those_of_causes() -> None:
    spec = render("default").one("ValidatingAdmissionPolicy", "reme-operator-admission")["spec"]
    rules = spec["matchConstraints"]["resourceRules"]
    (rule,) = [rule for rule in rules if "diagnosisreports" in rule["resources"]]
    assert set(rule["operations"]) == {"CREATE", "UPDATE"}
    (variable,) = [v for v in spec["variables"] if v["name"] == "reportOk"]
    for field in ("followUpOf.uid", "followUpOf.depth in [1, 2]", "policyRef"):
        assert field in variable["expression"]


def test_the_notes_name_three_commands_and_nothing_to_fear(tmp_path: Path) -> None:
    text = notes(tmp_path)
    assert "rollout status deployment reme-model reme-operator" in text
    assert "helm test reme -n reme-system" in text
    assert "kubectl create -f -" in text
    assert "WARNING" not in text
    assert "plans and runs nothing" in text


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (("defaultPolicy.mode=Auto",), "EVERY namespace"),
        (("crds.keep=false",), "deletes every report"),
        (("networkPolicy.enabled=false",), "can reach the network"),
        (("sandbox.networkPolicy.enabled=false",), "runs can reach the whole network"),
        (
            (
                "model.enabled=false",
                "model.endpoint=http://x/v1",
                "model.apiKeySecret.name=key",
            ),
            "unencrypted",
        ),
    ],
)
def test_the_notes_warn_of_what_is_risky(
    tmp_path: Path, settings: tuple[str, ...], words: str
) -> None:
    text = notes(tmp_path, *settings)
    assert "WARNING" in text
    assert words in text


def test_auto_in_named_namespaces_is_no_reason_to_warn(tmp_path: Path) -> None:
    text = notes(tmp_path, "defaultPolicy.mode=Auto", "watchNamespaces={shop}")
    assert "WARNING" not in text
    assert "namespace: shop" in text


def test_the_report_in_the_notes_is_one(tmp_path: Path) -> None:
    message = notes(tmp_path, "watchNamespaces={shop}")
    text = message.partition("<<REPORT")[2].partition("REPORT")[0]
    report = yaml.safe_load(
        text.replace(
            "target: {kind: Deployment, name: NAME}", "target: {kind: Deployment, name: cart}"
        )
    )
    assert DiagnosisReportSpec.model_validate(report["spec"]).target.name == "cart"


def test_every_kind_of_the_group_is_named_for_artifact_hub() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    listed = {c["name"] for c in yaml.safe_load(chart["annotations"]["artifacthub.io/crds"])}
    names = {o["metadata"]["name"] for o in render("default").of("CustomResourceDefinition")}
    assert listed == names


def test_an_unknown_file_of_values_is_an_error() -> None:
    with pytest.raises(HelmError):
        render("missing")
