"""Which reports become remediations, when, and under which policy."""

from collections.abc import Sequence
from typing import Any

import pytest

from reme_api.actions import ActionName
from reme_api.diagnosis_report import Target
from reme_api.policy import ActionRule, RemediationPolicy
from reme_api.probe_coverage import ProbeSource
from reme_api.probes import Probe, RolloutProbe
from reme_api.reasons import Outcome, Reason
from reme_operator.admission.admit import (
    Accept,
    Admission,
    AdmissionInput,
    AlreadyAdmitted,
    Refuse,
    TargetInfo,
    admit,
)
from reme_operator.admission.cache import target_info
from reme_operator.admission.remediation_index import RemediationInfo
from reme_operator.names import FINALIZER, remediation_name
from tests.doubles.builders import NOW, RELEASE, later, policy, probe, report

CART = Target.model_validate({"kind": "Deployment", "name": "cart"})
TARGET = TargetInfo(labels={"app": "cart"}, containers=("cart",))


def entry(name: str = "earlier", **fields: Any) -> RemediationInfo:
    base: dict[str, Any] = {
        "namespace": "shop",
        "name": name,
        "uid": name,
        "report_uid": "another",
        "target": CART,
        "policy": "shop/usual",
        "created": later(-1000),
        "completed": later(-900),
        "outcome": Outcome.VERIFIED,
        "reason": Reason.PROBES_PASSED,
        "message": "",
        "history_limit": 50,
        "ttl_seconds": 1000,
    }
    return RemediationInfo(**(base | fields))


def open_entry(name: str = "open", **fields: Any) -> RemediationInfo:
    return entry(name, **({"outcome": None, "completed": None, "reason": None} | fields))


def decided(
    *,
    target: TargetInfo | None = TARGET,
    policies: Sequence[RemediationPolicy] | None = None,
    entries: Sequence[RemediationInfo] = (),
    paused: bool = False,
    **fields: Any,
) -> Admission:
    candidates = [policy()] if policies is None else policies
    case = AdmissionInput(report(**fields), target, candidates, entries, RELEASE, paused)
    return admit(case, NOW)


def refused(**fields: Any) -> Refuse:
    admission = decided(**fields)
    assert isinstance(admission, Refuse)
    return admission


def test_what_is_accepted_carries_everything_that_was_decided_on() -> None:
    admission = decided()
    assert isinstance(admission, Accept)
    remediation = admission.remediation
    assert remediation.metadata.name == remediation_name(report())
    assert remediation.manifest()["metadata"]["finalizers"] == [FINALIZER]
    assert remediation.metadata.labels["reme.dev/report-uid"] == report().metadata.uid
    assert remediation.spec.policy.spec == policy().spec
    assert remediation.spec.report_ref.generation == 1
    assert remediation.spec.probes == [Probe(name="rollout", rollout=RolloutProbe())]


def test_the_probes_of_the_report_go_before_those_of_the_policy() -> None:
    watchful = policy(verification={"probes": [probe("of-policy")]})
    admission = decided(policies=[watchful])
    assert isinstance(admission, Accept)
    assert [p.name for p in admission.remediation.spec.probes] == ["of-policy"]
    admission = decided(policies=[watchful], probes=[probe("of-report")])
    assert isinstance(admission, Accept)
    assert [p.name for p in admission.remediation.spec.probes] == ["of-report"]
    assert admission.notes == ()


def test_without_probes_they_are_derived_from_the_services_of_the_target() -> None:
    target = target_info(
        {
            "metadata": {"name": "cart"},
            "spec": {
                "template": {
                    "metadata": {"labels": {"app": "cart"}},
                    "spec": {"containers": [{"name": "cart"}]},
                }
            },
        }
    )
    service = {
        "metadata": {"name": "cart"},
        "spec": {"selector": {"app": "cart"}, "clusterIP": "10.0.0.1", "ports": [{"port": 80}]},
    }
    case = AdmissionInput(report(), target, [policy()], (), RELEASE, services=[service])
    admission = admit(case, NOW)
    assert isinstance(admission, Accept)
    spec = admission.remediation.spec
    assert [p.name for p in spec.probes] == ["answers", "rollout"]
    assert spec.coverage.source is ProbeSource.DERIVED
    assert "GET / of cart:80, rollout" in admission.notes[0]


def test_a_report_has_one_remediation_per_generation() -> None:
    name = remediation_name(report())
    assert decided(entries=[entry(name)]) == AlreadyAdmitted(name)
    assert remediation_name(report(generation=2)) != name
    assert remediation_name(report(uid="another")) != name


def test_a_remediation_that_was_deleted_is_not_made_again() -> None:
    name = remediation_name(report())
    assert decided(status={"remediations": [{"name": name}]}) == AlreadyAdmitted(name)


def test_a_long_name_still_fits_a_label() -> None:
    name = remediation_name(report("a" * 50 + "." * 3 + "b" * 190))
    assert len(name) <= 63
    assert ".-" not in name


REFUSED: list[tuple[str, dict[str, Any], Reason, bool]] = [
    ("suspended", {"suspend": True}, Reason.SUSPENDED, False),
    ("paused", {"paused": True}, Reason.SUSPENDED, True),
    ("nothing there", {"target": None}, Reason.TARGET_NOT_FOUND, True),
    ("the release", {"namespace": RELEASE}, Reason.TARGET_PROTECTED, False),
    ("the system", {"namespace": "kube-system"}, Reason.TARGET_PROTECTED, False),
    (
        "protected",
        {"target": TargetInfo({"reme.dev/protected": "true"})},
        Reason.TARGET_PROTECTED,
        True,
    ),
    (
        "a part of reme",
        {"target": TargetInfo({"app.kubernetes.io/part-of": "reme"})},
        Reason.TARGET_PROTECTED,
        False,
    ),
    ("no policy", {"policies": []}, Reason.NO_POLICY_MATCHES, False),
    ("policy asleep", {"policies": [policy(suspend=True)]}, Reason.POLICY_SUSPENDED, False),
    ("policy empty", {"policies": [policy(actions=[])]}, Reason.POLICY_ALLOWS_NOTHING, False),
    ("policy named", {"policy_ref": {"name": "x"}}, Reason.POLICY_NOT_FOUND, False),
    ("target busy", {"entries": [open_entry()]}, Reason.TARGET_LOCKED, True),
]


@pytest.mark.parametrize(
    ("fields", "reason", "again"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_a_refusal_says_why_and_when_to_look_again(
    fields: dict[str, Any], reason: Reason, again: bool
) -> None:
    refusal = decided(**fields)
    assert isinstance(refusal, Refuse)
    assert refusal.reason is reason
    assert refusal.message
    assert (refusal.retry_at is not None) is again


def test_a_container_that_the_target_does_not_have_is_ignored_with_a_note() -> None:
    wrong = Target.model_validate({"kind": "Deployment", "name": "cart", "container": "web"})
    admission = admit(AdmissionInput(report(target=wrong), TARGET, [policy()], (), RELEASE), NOW)
    assert isinstance(admission, Accept)
    assert admission.remediation.spec.target == CART
    assert "no container web; it has cart" in admission.notes[0]
    right = Target.model_validate({"kind": "Deployment", "name": "cart", "container": "cart"})
    admission = admit(AdmissionInput(report(target=right), TARGET, [policy()], (), RELEASE), NOW)
    assert isinstance(admission, Accept)
    assert admission.remediation.spec.target.container == "cart"
    assert not any("container" in note for note in admission.notes)


def test_an_open_remediation_of_another_target_is_no_lock() -> None:
    wide = policy(budgets={"max_concurrent": 5})
    other = Target.model_validate({"kind": "StatefulSet", "name": "cart"})
    assert isinstance(decided(policies=[wide], entries=[open_entry(target=other)]), Accept)
    assert isinstance(decided(policies=[wide], entries=[open_entry(namespace="b")]), Accept)


def test_a_target_rests_after_a_remediation() -> None:
    resting = policy(budgets={"cooldown_seconds": 1000})
    refusal = refused(policies=[resting], entries=[entry()])
    assert refusal.reason is Reason.COOLING_DOWN
    assert refusal.retry_at == later(100)
    assert isinstance(decided(policies=[resting], entries=[entry(completed=later(-1000))]), Accept)


def test_a_remediation_that_did_nothing_needs_no_rest() -> None:
    idle = entry(outcome=Outcome.NO_ACTION_NEEDED)
    resting = policy(budgets={"cooldown_seconds": 1000})
    assert isinstance(decided(policies=[resting], entries=[idle]), Accept)


def test_the_budget_of_open_ones_is_the_policys() -> None:
    other = Target.model_validate({"kind": "Deployment", "name": "stock"})
    two = policy(budgets={"max_concurrent": 2})
    one = [open_entry("a", target=other)]
    assert isinstance(decided(policies=[two], entries=one), Accept)
    full = [*one, open_entry("b", target=other)]
    assert refused(policies=[two], entries=full).reason is Reason.BUDGET_EXHAUSTED
    elsewhere = [*one, open_entry("b", target=other, policy="shop/another")]
    assert isinstance(decided(policies=[two], entries=elsewhere), Accept)


def test_the_budget_per_hour_frees_up_as_the_hour_passes() -> None:
    other = Target.model_validate({"kind": "Deployment", "name": "stock"})
    tight = policy(budgets={"max_per_hour": 2, "cooldown_seconds": 0})
    earlier = [
        entry(str(n), created=later(seconds), target=other)
        for n, seconds in enumerate((-3000, -2000, -4000))
    ]
    refusal = refused(policies=[tight], entries=earlier)
    assert refusal.reason is Reason.BUDGET_EXHAUSTED
    assert refusal.retry_at == later(600)


# Which policy ------------------------------------------------------------------------------


def chosen(*policies: RemediationPolicy, **fields: Any) -> str | Reason:
    admission = decided(policies=policies, **fields)
    if isinstance(admission, Accept):
        policy_snapshot = admission.remediation.spec.policy
        return f"{policy_snapshot.namespace}/{policy_snapshot.name}"
    assert isinstance(admission, Refuse)
    return admission.reason


def test_the_narrowest_policy_wins() -> None:
    rising = [
        policy("any"),
        policy("faults", faults=["bad-rollout"]),
        policy("kinds", targets=[{"kinds": ["Deployment"]}]),
        policy("labels", targets=[{"match_labels": {"app": "cart"}}]),
        policy("names", targets=[{"names": ["cart"]}]),
    ]
    for count in range(1, len(rising) + 1):
        assert chosen(*rising[:count]) == f"shop/{rising[count - 1].metadata.name}"
        assert chosen(*reversed(rising[:count])) == f"shop/{rising[count - 1].metadata.name}"


def test_the_narrowest_rule_of_a_policy_counts() -> None:
    both = policy("both", targets=[{"kinds": ["Deployment"]}, {"names": ["cart"]}])
    assert (
        chosen(both, policy("labels", targets=[{"match_labels": {"app": "cart"}}])) == "shop/both"
    )


def test_two_that_are_equally_narrow_are_a_conflict() -> None:
    assert chosen(policy("a"), policy("b")) is Reason.POLICY_CONFLICT


def test_what_does_not_match_is_not_asked() -> None:
    other = policy("other", targets=[{"names": ["stock"]}])
    assert chosen(other) is Reason.NO_POLICY_MATCHES
    assert chosen(policy("f", faults=["cpu-stress"])) is Reason.NO_POLICY_MATCHES
    labels = policy("l", targets=[{"match_labels": {"app": "cart", "tier": "x"}}])
    assert chosen(labels) is Reason.NO_POLICY_MATCHES


def test_the_own_namespace_goes_before_the_release_namespace() -> None:
    shared = policy("shared", RELEASE, targets=[{"names": ["cart"]}])
    assert chosen(shared) == f"{RELEASE}/shared"
    assert chosen(shared, policy("own")) == "shop/own"
    assert chosen(policy("foreign", "another")) is Reason.NO_POLICY_MATCHES


def test_a_policy_that_is_named_must_cover_the_target_too() -> None:
    wide, other = policy("wide"), policy("other", targets=[{"names": ["stock"]}])
    assert chosen(wide, other, policy_ref={"name": "wide"}) == "shop/wide"
    assert chosen(wide, other, policy_ref={"name": "other"}) is Reason.NO_POLICY_MATCHES
    shared = policy("shared", RELEASE)
    assert chosen(shared, policy_ref={"name": "shared"}) is Reason.POLICY_NOT_FOUND


def test_the_policy_is_kept_as_it_was() -> None:
    narrow = policy(actions=[ActionRule(name=ActionName.RESTART)])
    admission = decided(policies=[narrow])
    assert isinstance(admission, Accept)
    assert [a.name for a in admission.remediation.spec.policy.spec.actions] == [ActionName.RESTART]
