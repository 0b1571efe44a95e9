"""Which policy is the most specific, why the others are not, and which cannot be meant."""

from typing import Any

import pytest

from reme_api.actions import ActionName
from reme_api.conditions import Status
from reme_api.diagnosis_report import DiagnosisReport
from reme_api.policy import RemediationPolicy
from reme_api.reasons import Reason
from reme_operator.admission.admit import Accept, AdmissionInput, Refuse, TargetInfo, admit
from reme_operator.admission.policy_selection import (
    NoPolicyChosen,
    rank_policies,
    select_policy,
)
from reme_operator.admission.policy_validation import (
    UnreadablePolicy,
    conflicting_policies,
    parse_policy,
    policy_problems,
)
from reme_operator.handlers.policies import policy_readiness
from tests.doubles.builders import NOW, RELEASE, later, policy, report

LABELS = {"app": "cart"}


def chosen(*policies: RemediationPolicy, **fields: Any) -> str | NoPolicyChosen:
    result = select_policy(report(**fields), LABELS, policies, RELEASE)
    return result if isinstance(result, NoPolicyChosen) else result.metadata.name


def test_the_order_from_the_weakest_to_the_strongest() -> None:
    shared = {"namespace": RELEASE}
    rising = [
        policy("any", **shared),
        policy("faults", faults=["bad-rollout"], **shared),
        policy("namespaces-like", namespaces=["sh*"], **shared),
        policy("namespaces", namespaces=["shop"], **shared),
        policy("kinds", targets=[{"kinds": ["Deployment"]}], **shared),
        policy("labels", targets=[{"match_labels": LABELS}], **shared),
        policy("names-like", targets=[{"names": ["c*"]}], **shared),
        policy("names", targets=[{"names": ["cart"]}], **shared),
        policy("own"),
    ]
    for count in range(1, len(rising) + 1):
        assert chosen(*rising[:count]) == rising[count - 1].metadata.name
        assert chosen(*reversed(rising[:count])) == rising[count - 1].metadata.name


def test_a_conflict_names_both_and_how_they_are_alike() -> None:
    text = chosen(
        policy("b", targets=[{"names": ["cart"]}]), policy("a", targets=[{"names": ["cart", "x"]}])
    )
    assert isinstance(text, NoPolicyChosen)
    assert text.reason is Reason.POLICY_CONFLICT
    assert "by name: a, b" in text.message


def test_a_policy_for_other_namespaces_does_not_match() -> None:
    other = policy("other", RELEASE, namespaces=["pay*"])
    assert isinstance(chosen(other), NoPolicyChosen)


def test_one_that_cannot_be_read_may_have_been_the_narrowest() -> None:
    broken = [UnreadablePolicy("shop", "narrow", "spec.mode: nonsense")]
    result = select_policy(report(), LABELS, [policy("wide")], RELEASE, broken)
    assert isinstance(result, NoPolicyChosen)
    assert result.reason is Reason.POLICY_INVALID
    assert "shop/narrow" in result.message
    named = report(policy_ref={"name": "wide"})
    assert isinstance(
        select_policy(named, LABELS, [policy("wide")], RELEASE, broken), RemediationPolicy
    )
    elsewhere = [UnreadablePolicy(RELEASE, "shared", "x")]
    result = select_policy(report(), LABELS, [policy("own")], RELEASE, elsewhere)
    assert isinstance(result, RemediationPolicy)
    result = select_policy(report(), LABELS, [], RELEASE, elsewhere)
    assert isinstance(result, NoPolicyChosen)
    assert result.reason is Reason.POLICY_INVALID


def test_every_policy_is_considered_with_its_reason() -> None:
    items = rank_policies(
        report(),
        LABELS,
        [
            policy("wide"),
            policy("named", targets=[{"names": ["cart"]}]),
            policy("stock", targets=[{"names": ["stock"]}, {"match_labels": {"app": "stock"}}]),
            policy("oom", faults=["oom"]),
            policy("far", "elsewhere"),
        ],
        RELEASE,
    )
    assert [(c.policy.metadata.name, c.mismatch) for c in items] == [
        ("named", ""),
        ("wide", ""),
        ("stock", "it is for names stock; the target lacks labels app=stock"),
        ("oom", "it is for faults oom, not bad-rollout"),
    ]
    assert items[0].rank is not None
    assert items[0].rank.text() == "name"


def test_what_does_not_fit_its_type_is_understood_as_that() -> None:
    body = {
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"mode": "Auto", "actions": [{"name": "Explode"}]},
    }
    result = parse_policy(body)
    assert isinstance(result, UnreadablePolicy)
    assert (result.namespace, result.name) == ("shop", "p")
    assert "actions.0.name" in result.problem


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("zone", {"windows": [{"time_zone": "Mars/Olympus"}]}, "time zone Mars/Olympus is not known"),
    ("namespaces", {"namespaces": ["shop"]}, "only allowed for a policy in namespace reme-system"),
    (
        "kind",
        {"actions": [{"name": "Scale", "kinds": ["DaemonSet"]}]},
        "actions[0] Scale: kinds: DaemonSet is no kind of this action; it acts on",
    ),
    (
        "fields",
        {"actions": [{"name": "Restart", "fields": ["x"]}]},
        "actions[0] Restart: fields: this action sets no named fields",
    ),
    (
        "container",
        {"actions": [{"name": "Scale", "containers": ["web"]}]},
        "actions[0] Scale: containers: this action is not about a container",
    ),
    (
        "zone of a rule",
        {"actions": [{"name": "Restart", "windows": [{"time_zone": "Nowhere"}]}]},
        "time zone Nowhere is not known",
    ),
    (
        "nothing begins in time",
        {"evidence": {"min_persistence_seconds": 60}, "deadline_seconds": 60},
        "evidence.minPersistenceSeconds must be less than deadlineSeconds",
    ),
    (
        "nothing begins in time by the profile",
        {"profile": "Conservative", "deadline_seconds": 60},
        "evidence.minPersistenceSeconds must be less than deadlineSeconds",
    ),
]


@pytest.mark.parametrize(("fields", "text"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_what_cannot_be_meant_is_said_and_not_used(fields: dict[str, Any], text: str) -> None:
    bad = policy("bad", **fields)
    assert text in "; ".join(policy_problems(bad, RELEASE))
    state, reason, message = policy_readiness(bad, RELEASE)
    assert (state, reason) == (Status.FALSE, Reason.POLICY_INVALID)
    assert text in message
    refusal = admit(AdmissionInput(report(), TargetInfo(), [bad], (), RELEASE), NOW)
    if fields.get("namespaces"):
        return
    assert isinstance(refusal, Refuse)
    assert refusal.reason is Reason.POLICY_INVALID


def test_what_can_be_meant_has_no_problem() -> None:
    pods = {"name": ActionName.DELETE_POD, "kinds": ["Deployment"]}
    assert policy_problems(policy("p", actions=[pods]), RELEASE) == []
    assert policy_problems(policy("p", RELEASE, namespaces=["sh*"]), RELEASE) == []


def test_two_that_match_the_same_say_so_of_each_other() -> None:
    a, b = policy("a"), policy("b")
    c = policy("c", targets=[{"names": ["cart"]}])
    assert conflicting_policies(a, [a, b, c]) == ["b"]
    assert conflicting_policies(c, [a, b, c]) == []
    state, reason, message = policy_readiness(a, RELEASE, [a, b, c])
    assert (state, reason) == (Status.FALSE, Reason.POLICY_CONFLICT)
    assert "a, b" in message


# Times ---------------------------------------------------------------------------------------

NIGHT = [{"start": "22:00", "end": "04:00"}]  # NOW is noon


def admitted(new_report: DiagnosisReport, **fields: Any) -> Accept | Refuse:
    result = admit(AdmissionInput(new_report, TargetInfo(), [policy(**fields)], (), RELEASE), NOW)
    assert isinstance(result, Accept | Refuse)
    return result


def test_outside_of_its_times_a_policy_lets_reports_wait() -> None:
    refusal = admitted(report(), windows=NIGHT)
    assert isinstance(refusal, Refuse)
    assert refusal.reason is Reason.OUTSIDE_WINDOW
    assert refusal.retry_at == later(10 * 3600)
    assert "every day 22:00-04:00 UTC" in refusal.message


def test_or_refuses_them() -> None:
    refusal = admitted(report(), windows=NIGHT, outside_windows="Refuse")
    assert isinstance(refusal, Refuse)
    assert (refusal.reason, refusal.retry_at) == (Reason.OUTSIDE_WINDOW, None)


def test_what_only_observes_may_look_at_any_time() -> None:
    assert isinstance(admitted(report(), windows=NIGHT, mode="Observe"), Accept)
    assert isinstance(admitted(report(), windows=[{"start": "11:00", "end": "13:00"}]), Accept)
