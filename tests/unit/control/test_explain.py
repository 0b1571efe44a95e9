"""What is said of a report: the same as what would become of it."""

from typing import Any

from reme_api.actions import ActionName
from reme_api.policy import RemediationPolicy
from reme_operator.admission.admit import Accept, AdmissionInput, TargetInfo, admit
from reme_operator.admission.explain import Explanation, explain
from reme_operator.admission.policy_validation import UnreadablePolicy
from reme_operator.cli.explanation_text import explanation_lines
from reme_playbook.policy.action_space import allowed_actions
from tests.doubles.builders import NOW, RELEASE, policy, report
from tests.unit.control.test_budgets import opened
from tests.unit.playbook.builders import Shop
from tests.unit.playbook.rollouts import Pod, Rollout

TARGET = TargetInfo({"app": "cart"}, ("server", "proxy"))


def explained(*policies: RemediationPolicy, shop: Shop | None = None, **case: Any) -> Explanation:
    admission_input = AdmissionInput(
        report(), TARGET, policies, case.pop("entries", ()), RELEASE, **case
    )
    return explain(admission_input, (shop or Shop()).live(), NOW)


def text(explanation: Explanation) -> str:
    return "\n".join(line.plain for line in explanation_lines(explanation))


def test_what_is_said_to_be_allowed_is_what_the_model_may_choose_from() -> None:
    for profile in ("Conservative", "Standard", "Broad"):
        used, shop = policy(actions=[], profile=profile), Shop()
        explanation = explained(used, shop=shop)
        summaries = {one.summary for line in explanation.actions for one in line.allowed}
        space = allowed_actions(shop.live(), used.spec, release_namespace=RELEASE, now=NOW)
        assert summaries == {action.summary() for action in space}
        assert {line.name for line in explanation.actions} == set(ActionName)


def test_what_is_said_of_the_report_is_what_admission_says() -> None:
    case = AdmissionInput(report(), TARGET, [policy()], [opened("other")], RELEASE)
    explanation = explain(case, None, NOW)
    assert not isinstance(admit(case, NOW), Accept)
    assert (explanation.accepted, explanation.reason) == (False, "TargetLocked")
    assert explained(policy()).accepted


def test_every_refusal_has_its_reason() -> None:
    narrow = policy(actions=[{"name": "Scale", "max_increase_percent": 50}])
    lines = {line.name: line for line in explained(narrow).actions}
    scale = lines[ActionName.SCALE]
    assert scale.bounds == ["replicas: 2 now, 2 to 3 allowed, or a previous number"]
    assert [one.summary for one in scale.allowed] == ["Scale Deployment cart to 3"]
    assert {(one.summary, one.rule) for one in scale.refused} == {
        ("Scale Deployment cart to 4", "Bounds")
    }
    assert lines[ActionName.RESTART].note == "not listed by the policy"


def test_the_evidence_rules_that_refuse_something_are_told_with_their_reasons() -> None:
    used = policy(actions=[{"name": "DeletePod"}, {"name": "Restart"}])
    shop = Rollout(pods=(Pod(),) * 7)
    admission_input = AdmissionInput(report(), TARGET, [used], (), RELEASE)
    explanation = explain(admission_input, shop.live(), NOW)
    (rule,) = explanation.evidence
    assert (rule.rule, len(rule.refused)) == ("HealthyPod", 5)
    (line,) = [one for one in explanation.actions if one.name is ActionName.DELETE_POD]
    assert {one.rule for one in line.refused} == {"NotSupported"}
    message = text(explanation)
    assert "The evidence speaks against:\n  - HealthyPod: The pod is ready" in message
    assert "      refuses: Delete Pod cart-h1-0, to be replaced" in message
    assert explain(admission_input, Rollout(pods=(Pod(),)).live(), NOW).evidence == []


def test_the_bounds_of_amounts_are_amounts() -> None:
    half = {"name": "SetResources", "max_increase_percent": 50, "max_memory_mebibytes": 160}
    (line,) = [
        a for a in explained(policy(actions=[half])).actions if a.name is ActionName.SET_RESOURCES
    ]
    assert (
        "server memory limit: 128Mi now, 128Mi to 160Mi allowed, or a previous amount"
        in line.bounds
    )
    assert "server cpu limit: 300m now, 300m to 450m allowed, or a previous amount" in line.bounds


def test_the_policies_are_told_in_their_order_with_their_reasons() -> None:
    explanation = explained(
        policy("wide"),
        policy("named", targets=[{"names": ["cart"]}]),
        policy("shared", RELEASE),
        policy("other", targets=[{"names": ["stock"]}]),
    )
    assert [(p.name, p.chosen, p.why_not) for p in explanation.policies] == [
        ("shop/named", True, ""),
        ("shop/wide", False, "shop/named is more specific"),
        ("reme-system/shared", False, "policies of namespace shop have priority"),
        ("shop/other", False, "it is for names stock"),
    ]


def test_a_conflict_and_what_cannot_be_read_are_told() -> None:
    explanation = explained(policy("a"), policy("b"))
    assert (explanation.accepted, explanation.reason, explanation.actions) == (
        False,
        "PolicyConflict",
        [],
    )
    assert all("equally specific" in line.why_not for line in explanation.policies)
    broken = explained(policy(), unreadable=[UnreadablePolicy("shop", "x", "spec.mode: no")])
    assert broken.reason == "PolicyInvalid"
    assert "it cannot be read: spec.mode: no" in text(broken)


def test_the_text_has_everything_that_people_ask_for() -> None:
    used = policy(
        actions=[{"name": "Scale", "windows": [{"start": "22:00", "end": "23:00"}]}],
        windows=[{"days": ["Sat"]}],
        budgets={"max_workloads_percent": 25},
        evidence={
            "min_confidence_percent": 10,
            "require_probe_failure": True,
            "min_persistence_seconds": 30,
        },
    )
    message = text(explained(used))
    assert "Report shop/cart-down for Deployment shop/cart" in message
    assert "not accepted (OutsideWindow)" in message
    assert "retried at 2026-05-09 00:00:00 UTC" in message
    assert "* shop/usual: applies, matched by everything" in message
    assert "at most 25 % of the namespace's workloads" in message
    assert "a diagnosis with a confidence has at least 10 %" in message
    assert "the probes must confirm the fault" in message
    assert "a fault must persist for 30 s before any change" in message
    assert "no: Scale Deployment cart to 3: OutsideWindow" in message
    assert "- Restart: not listed by the policy" in message
