"""What the coordinator with rules chooses: from findings, faults and symptoms alone."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reme_api.investigation import Choice, InspectionName
from reme_api.reasons import Reason
from reme_operator.investigation.coordinator import (
    Candidate,
    CoordinatorChoice,
    CoordinatorView,
    PossibleCause,
    StoredFinding,
    Symptom,
)
from reme_operator.investigation.rules_coordinator import RulesCoordinator, choose_by_rules
from reme_playbook.snapshot.finding import FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef
from tests.doubles.builders import NOW

CART = ObjectRef("Deployment", "shop", "cart")
STOCK = ObjectRef("Deployment", "shop", "stock")
STOCK_SERVICE = ObjectRef("Service", "shop", "stock")
BANK = ObjectRef("Service", "shop", "bank")
CALLED = PossibleCause(workload=STOCK, services=("stock",))


def candidate(name: InspectionName, subject: ObjectRef = CART) -> Candidate:
    return Candidate(name=name, subject=subject, label=f"{name} {subject.kind}/{subject.name}")


def finding(
    kind: FindingKind, subject: ObjectRef = STOCK_SERVICE, text: str = "it fails", **fields: Any
) -> StoredFinding:
    return StoredFinding(
        inspection=InspectionName.DEPENDENCY, kind=kind, subject=subject, text=text, **fields
    )


LOGS = candidate(InspectionName.CONTAINER_LOGS)
STOCK_DEPENDENCY = candidate(InspectionName.DEPENDENCY, STOCK_SERVICE)


def choose(**fields: Any) -> CoordinatorChoice:
    base: dict[str, Any] = {
        "target": CART,
        "rounds_left": 2,
        "max_inspections": 4,
        "follow_cause": True,
        "symptoms": {Symptom.PROBES_FAILING},
        "possible_causes": (CALLED,),
        "candidates": (LOGS, STOCK_DEPENDENCY),
    }
    return choose_by_rules(CoordinatorView(**(base | fields)))


def test_it_inspects_what_the_symptoms_are_worth() -> None:
    chosen = choose()
    assert chosen.choice is Choice.INSPECT
    assert chosen.inspections == (STOCK_DEPENDENCY, LOGS)
    crashing = choose(symptoms={Symptom.CRASHING})
    assert crashing.inspections == (LOGS, STOCK_DEPENDENCY)


def test_the_log_of_the_target_is_read_whatever_else_could_be_inspected() -> None:
    others = [
        candidate(name, ObjectRef("Service", "shop", service))
        for name in (
            InspectionName.SERVICE_ENDPOINTS,
            InspectionName.DEPENDENCY,
            InspectionName.SERVICE_REQUEST,
        )
        for service in ("cart", "stock")
    ]
    fault = "errors: cart answers 500, stock is called"
    assert LOGS in choose(candidates=(*others, LOGS), fault=fault).inspections


def test_without_a_symptom_nothing_is_inspected() -> None:
    assert choose(symptoms=()).choice is Choice.ACT


def test_the_policy_bounds_a_round() -> None:
    many = tuple(
        candidate(InspectionName.DEPENDENCY, ObjectRef("Service", "shop", f"s{n}"))
        for n in range(9)
    )
    chosen = choose(candidates=(*many, LOGS), max_inspections=3).inspections
    assert len(chosen) == 3
    assert LOGS in chosen  # the dependencies leave one place to the others
    assert choose(rounds_left=0).choice is Choice.ACT


def test_what_the_report_names_comes_first() -> None:
    other = candidate(InspectionName.DEPENDENCY, ObjectRef("Service", "shop", "redis"))
    chosen = choose(candidates=(other, STOCK_DEPENDENCY), fault="slow: stock times out")
    assert chosen.inspections[0] == STOCK_DEPENDENCY


def test_an_own_fault_is_repaired_without_inspections() -> None:
    chosen = choose(own_faults=("service cart has selector app=x, which matches no pod",))
    assert chosen.choice is Choice.ACT
    assert "selector" in chosen.message


def test_after_an_attempt_that_did_not_help_it_inspects_even_so() -> None:
    chosen = choose(own_faults=("service cart leads to a wrong port",), attempt=2)
    assert chosen.choice is Choice.INSPECT


@pytest.mark.parametrize(
    "kind",
    [FindingKind.NO_ENDPOINTS, FindingKind.PORT_MISMATCH, FindingKind.OUT_OF_MEMORY],
)
@pytest.mark.parametrize("symptoms", [set(), {Symptom.RECENT_CHANGE}])
@pytest.mark.parametrize("own", [(), ("the limit is low",)])
def test_a_called_workload_that_is_down_is_followed(
    kind: FindingKind, symptoms: set[Symptom], own: tuple[str, ...]
) -> None:
    """Also when the target was released a moment ago, or has a fault too: it cannot be verified."""
    found_fault = finding(kind, text="stock has no ready pod of 2")
    chosen = choose(findings=(found_fault,), symptoms=symptoms, own_faults=own)
    assert chosen.choice is Choice.FOLLOW_CAUSE
    assert chosen.cause is not None
    assert (chosen.cause.kind, chosen.cause.name) == ("Deployment", "stock")
    assert chosen.cause.evidence == ["stock has no ready pod of 2"]


def test_a_fault_that_the_snapshot_shows_needs_no_inspection() -> None:
    down = CALLED.model_copy(update={"faults": ("stock has no pods: it is scaled to 0",)})
    assert choose(possible_causes=(down,)).choice is Choice.FOLLOW_CAUSE


def test_an_own_fault_comes_first_where_the_policy_follows_no_cause() -> None:
    down = CALLED.model_copy(update={"faults": ("stock has no pods",)})
    own = {"possible_causes": (down,), "own_faults": ("the limit is low",)}
    assert choose(**own, follow_cause=False).choice is Choice.ACT


def test_a_failed_request_is_enough_only_where_the_target_did_not_change() -> None:
    """A release of the target may ask for something that there never was."""
    failed = finding(FindingKind.REQUEST_FAILED)
    assert choose(findings=(failed,)).choice is Choice.FOLLOW_CAUSE
    changed = {Symptom.PROBES_FAILING, Symptom.RECENT_CHANGE}
    assert choose(findings=(failed,), symptoms=changed).choice is not Choice.FOLLOW_CAUSE
    released = finding(FindingKind.RECENT_CHANGE, STOCK, "revision 3, 20 s before the fault")
    chosen = choose(findings=(failed, released), symptoms=changed)
    assert chosen.choice is Choice.FOLLOW_CAUSE


def test_a_workload_of_which_some_pods_serve_must_also_fail_when_it_is_asked() -> None:
    changed = {Symptom.PROBES_FAILING, Symptom.RECENT_CHANGE}
    partly = CALLED.model_copy(update={"partly_ready": "stock has 1 of 2 pods ready"})
    both = {"possible_causes": (partly,), "symptoms": changed, "candidates": ()}
    assert choose(**both).choice is Choice.ACT
    failed = finding(FindingKind.REQUEST_FAILED, text="GET /: no answer")
    assert choose(**both, findings=(failed,)).choice is Choice.FOLLOW_CAUSE


def test_an_error_in_the_log_of_the_target_that_names_the_workload_is_a_second_sign() -> None:
    changed = {Symptom.PROBES_FAILING, Symptom.RECENT_CHANGE}
    failed = finding(FindingKind.REQUEST_FAILED, text="GET /: answered 500")
    own = ObjectRef("Pod", "shop", "cart-1")
    for log, follows in (("http://stock/ timed out", True), ("stock-db timed out", False)):
        findings = (failed, finding(FindingKind.LOG_ERROR, own, log))
        chosen = choose(findings=findings, symptoms=changed, candidates=())
        assert (chosen.choice is Choice.FOLLOW_CAUSE) is follows


def test_a_probe_of_the_report_that_asks_the_dependency_needs_no_inspection() -> None:
    changed = {Symptom.PROBES_FAILING, Symptom.RECENT_CHANGE}
    fails = CALLED.model_copy(update={"failed_requests": ("probe p: stock answered 500",)})
    assert choose(possible_causes=(fails,)).choice is Choice.FOLLOW_CAUSE
    assert choose(possible_causes=(fails,), symptoms=changed).choice is Choice.INSPECT
    both = fails.model_copy(update={"recent_change": "Deployment stock was changed 20 s before"})
    chosen = choose(possible_causes=(both,), symptoms=changed)
    assert chosen.choice is Choice.FOLLOW_CAUSE
    assert chosen.cause is not None
    assert len(chosen.cause.evidence) == 2


@pytest.mark.parametrize("kind", [FindingKind.NORMAL, FindingKind.EARLIER_CHANGE])
def test_what_is_normal_accuses_nobody(kind: FindingKind) -> None:
    assert choose(findings=(finding(kind),), candidates=()).choice is Choice.ACT


def test_what_was_so_long_before_the_fault_accuses_nobody() -> None:
    """An optional dependency that was never installed."""
    old = finding(FindingKind.NO_ENDPOINTS, at=NOW - timedelta(days=2))
    assert choose(findings=(old,), fault_start=NOW, candidates=()).choice is Choice.ACT


def test_a_fault_of_an_object_that_is_not_called_is_not_followed() -> None:
    other = finding(FindingKind.NO_ENDPOINTS, ObjectRef("Service", "shop", "search"))
    assert choose(findings=(other,), candidates=()).choice is Choice.ACT


def test_a_dependency_outside_that_fails_ends_the_attempt() -> None:
    outside = finding(FindingKind.DEPENDENCY_OUTSIDE, BANK, "bank.example refuses connections")
    chosen = choose(findings=(outside,))
    assert (chosen.choice, chosen.reason) == (Choice.ABSTAIN, Reason.FAULT_ELSEWHERE)
    assert "bank.example" in chosen.message


def test_what_only_texts_say_of_a_dependency_outside_counts_after_a_look() -> None:
    outside = {"failing_outside": ("bank.example refuses connections, as the report says",)}
    assert choose(**outside).choice is Choice.INSPECT
    chosen = choose(**outside, candidates=())
    assert (chosen.choice, chosen.reason) == (Choice.ABSTAIN, Reason.FAULT_ELSEWHERE)
    assert choose(**outside, candidates=(), own_faults=("a wrong port",)).choice is Choice.ACT


def test_a_dependency_outside_does_not_hide_an_own_fault() -> None:
    outside = finding(FindingKind.DEPENDENCY_OUTSIDE, BANK)
    assert choose(findings=(outside,), own_faults=("a wrong port",)).choice is Choice.ACT


def test_once_something_is_wrong_only_what_it_names_is_inspected() -> None:
    log = finding(FindingKind.LOG_ERROR, ObjectRef("Pod", "shop", "cart-1"), "redis timed out")
    redis = candidate(InspectionName.DEPENDENCY, ObjectRef("Service", "shop", "redis"))
    chosen = choose(findings=(log,), candidates=(STOCK_DEPENDENCY, redis))
    assert chosen.inspections == (redis,)
    assert choose(findings=(log,), candidates=(STOCK_DEPENDENCY,)).choice is Choice.ACT


def test_what_is_worth_little_is_not_worth_another_round() -> None:
    diff = candidate(InspectionName.REVISION_DIFF)
    changed = {"symptoms": {Symptom.RECENT_CHANGE}, "candidates": (diff,)}
    assert choose(**changed).inspections == (diff,)
    assert choose(**changed, performed=(LOGS,)).choice is Choice.ACT


def test_another_round_looks_at_others_only() -> None:
    """The pods of the target are named by every finding about them."""
    pod = ObjectRef("Pod", "shop", "cart-1")
    log = finding(FindingKind.LOG_ERROR, pod, "cart in cart-1: no such table")
    logs_of_pod = candidate(InspectionName.CONTAINER_LOGS, pod)
    assert choose(findings=(log,), candidates=(logs_of_pod, LOGS)).choice is Choice.ACT


def test_events_of_the_target_are_those_of_its_pods_too() -> None:
    pod = candidate(InspectionName.OBJECT_EVENTS, ObjectRef("Pod", "shop", "cart-1"))
    own = candidate(InspectionName.OBJECT_EVENTS)
    chosen = choose(symptoms={Symptom.NOT_READY}, candidates=(pod, own))
    assert chosen.inspections == (own,)


def test_nothing_is_inspected_twice() -> None:
    again = choose(performed=(STOCK_DEPENDENCY,), findings=(finding(FindingKind.NORMAL),))
    assert again.inspections == (LOGS,)


async def test_the_interface_chooses_the_same() -> None:
    view = CoordinatorView(target=CART, symptoms=frozenset({Symptom.CRASHING}), candidates=(LOGS,))
    assert await RulesCoordinator().choose(view) == choose_by_rules(view)


subjects = st.sampled_from([CART, STOCK, STOCK_SERVICE, ObjectRef("Pod", "shop", "stock-1")])
views = st.builds(
    CoordinatorView,
    target=st.just(CART),
    attempt=st.integers(1, 3),
    rounds_left=st.integers(0, 3),
    max_inspections=st.integers(1, 8),
    follow_cause=st.booleans(),
    symptoms=st.frozensets(st.sampled_from(list(Symptom))),
    own_faults=st.lists(st.just("a wrong port"), max_size=1).map(tuple),
    possible_causes=st.lists(st.just(CALLED), max_size=1).map(tuple),
    candidates=st.lists(
        st.builds(candidate, st.sampled_from(list(InspectionName)), subjects), max_size=20
    ).map(tuple),
    findings=st.lists(
        st.builds(finding, st.sampled_from(list(FindingKind)), subjects), max_size=6
    ).map(tuple),
)


@given(views)
def test_every_choice_is_possible_and_replayed_the_same(view: CoordinatorView) -> None:
    chosen = choose_by_rules(view)
    stored = CoordinatorView.model_validate_json(view.model_dump_json())
    assert choose_by_rules(stored) == chosen
    assert all(one in view.candidates for one in chosen.inspections)
    assert len(chosen.inspections) <= view.max_inspections
    assert (chosen.choice is Choice.INSPECT) == bool(chosen.inspections)
    assert not chosen.inspections or view.rounds_left
    if chosen.choice is Choice.FOLLOW_CAUSE:
        assert chosen.cause is not None
        assert chosen.cause.evidence
        assert view.possible_causes
    if chosen.choice is Choice.ABSTAIN:
        assert chosen.reason is not None
