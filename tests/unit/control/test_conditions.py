"""What the conditions say, and when their times move."""

from typing import Any

import pytest

from reme_api.conditions import Status, find_condition
from reme_api.probes import ProbeVerdict
from reme_api.reasons import ConditionType, Outcome, Reason
from reme_api.remediation import Rejection, Remediation
from reme_operator.decision.conditions import derive
from reme_operator.decision.decisions import Wait
from tests.doubles.builders import (
    NOW,
    attempt,
    closed,
    executed,
    generated,
    later,
    plan,
    planned,
    remediation,
    started,
    validated_attempt,
    window,
)

Kind = ConditionType
PENDING = (Status.UNKNOWN, Reason.PENDING)
GOING_ON = (Status.UNKNOWN, Reason.IN_PROGRESS)


def stated(result: Remediation, wait: Wait | None = None) -> dict[Kind, tuple[Status, Reason]]:
    return {c.type: (c.status, c.reason) for c in derive(result, result.status, NOW, wait)}


def test_all_are_there_from_the_first_visit() -> None:
    mapping = stated(remediation(baseline=None))
    assert mapping[Kind.SUCCEEDED] == GOING_ON
    for kind in (Kind.GENERATED, Kind.VALIDATED, Kind.APPROVED, Kind.EXECUTED, Kind.VERIFIED):
        assert mapping[kind] == PENDING


@pytest.mark.parametrize(
    ("state", "kind", "expected"),
    [
        (attempt(), Kind.GENERATED, GOING_ON),
        (generated(), Kind.GENERATED, (Status.TRUE, Reason.PLAYBOOK_GENERATED)),
        (generated(abstained="no"), Kind.GENERATED, (Status.FALSE, Reason.MODEL_ABSTAINED)),
        (
            attempt(rejection=Rejection(rule="ModelReplyEmpty", message="nothing")),
            Kind.GENERATED,
            (Status.FALSE, Reason.MODEL_REPLY_EMPTY),
        ),
        (
            generated(rejection=Rejection(rule="Bounds", message="too much")),
            Kind.VALIDATED,
            (Status.FALSE, Reason.PLAYBOOK_REJECTED),
        ),
        (validated_attempt(), Kind.VALIDATED, (Status.TRUE, Reason.PLAYBOOK_ALLOWED)),
        (validated_attempt(), Kind.APPROVED, PENDING),
        (started(), Kind.APPROVED, (Status.TRUE, Reason.APPROVED_BY_POLICY)),
        (started(), Kind.EXECUTED, GOING_ON),
        (executed(), Kind.EXECUTED, (Status.TRUE, Reason.RUN_SUCCEEDED)),
        (executed(ended=Reason.RUN_LOST), Kind.EXECUTED, (Status.FALSE, Reason.RUN_LOST)),
        (executed(verification=window(None)), Kind.VERIFIED, GOING_ON),
        (
            executed(verification=window(ProbeVerdict.PASSED)),
            Kind.VERIFIED,
            (Status.TRUE, Reason.PROBES_PASSED),
        ),
        (
            executed(verification=window(ProbeVerdict.UNKNOWN)),
            Kind.VERIFIED,
            (Status.UNKNOWN, Reason.PROBES_INCONCLUSIVE),
        ),
        (
            executed(verification=window(ProbeVerdict.FAILED), reason=Reason.NEIGHBOURS_DEGRADED),
            Kind.VERIFIED,
            (Status.FALSE, Reason.NEIGHBOURS_DEGRADED),
        ),
    ],
)
def test_each_follows_from_the_status(
    state: Any, kind: Kind, expected: tuple[Status, Reason]
) -> None:
    assert stated(remediation(state))[kind] == expected


def test_what_is_waited_for_is_said() -> None:
    wait = Wait(later(10), Reason.WAITING_FOR_APPROVAL, "waits for sha256:…")
    result = remediation(planned(plan=plan(clean=True)), mode="Approve")
    assert stated(result, wait)[Kind.APPROVED] == (Status.UNKNOWN, Reason.WAITING_FOR_APPROVAL)
    assert stated(result, wait)[Kind.SUCCEEDED] == (Status.UNKNOWN, Reason.WAITING_FOR_APPROVAL)
    glitch = Wait(later(10), Reason.WAITING_FOR_PERSISTENCE, "left alone until …")
    result = remediation(validated_attempt())
    assert stated(result, glitch)[Kind.SUCCEEDED] == (
        Status.UNKNOWN,
        Reason.WAITING_FOR_PERSISTENCE,
    )
    assert stated(result, glitch)[Kind.APPROVED] == PENDING
    away = Wait(later(10), Reason.MODEL_UNAVAILABLE, "no answer")
    result = remediation(attempt())
    assert stated(result, away)[Kind.STALLED] == (Status.TRUE, Reason.MODEL_UNAVAILABLE)


def test_a_healthy_target_is_verified_without_an_attempt() -> None:
    result = remediation(baseline=ProbeVerdict.PASSED, outcome=Outcome.NO_ACTION_NEEDED)
    assert stated(result)[Kind.VERIFIED] == (Status.TRUE, Reason.ALREADY_HEALTHY)
    assert stated(result)[Kind.SUCCEEDED][0] is Status.TRUE


def test_a_rollback_that_failed_requires_a_person() -> None:
    ended = closed(1, Outcome.ROLLBACK_FAILED, Reason.ROLLBACK_FAILED)
    result = remediation(ended, outcome=Outcome.ROLLBACK_FAILED)
    assert stated(result)[Kind.STALLED] == (Status.TRUE, Reason.ROLLBACK_FAILED)


def test_a_time_moves_only_with_its_status() -> None:
    first = remediation(attempt())
    before = derive(first, first.status, NOW)
    remediation_status = first.status.model_copy(
        update={"conditions": before, "attempts": [generated()]}
    )
    after = derive(first, remediation_status, later(5))
    generated_then = find_condition(after, Kind.GENERATED)
    validated_then = find_condition(after, Kind.VALIDATED)
    assert generated_then is not None
    assert validated_then is not None
    assert generated_then.last_transition_time == later(5)
    assert validated_then.last_transition_time == NOW
