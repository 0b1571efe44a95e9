"""The start of a fault is its earliest sign that still matters."""

from datetime import UTC, datetime, timedelta
from typing import Any

from reme_operator.snapshot.fault_start import fault_start

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)
CREATED = NOON + timedelta(minutes=30)
HEALTHY: dict[str, Any] = {"spec": {"replicas": 1}, "status": {"availableReplicas": 1}}


def at(seconds: int) -> str:
    return (NOON + timedelta(seconds=seconds)).isoformat()


def pod(*, ready: bool, changed: int, start: int = 0) -> dict[str, Any]:
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": at(changed)}
    return {
        "metadata": {"name": "cart-1"},
        "status": {"startTime": at(start), "conditions": [condition]},
    }


def warning(first: int, last: int, kind: str = "Pod", reason: str = "Unhealthy") -> dict[str, Any]:
    return {
        "type": "Warning",
        "reason": reason,
        "involvedObject": {"kind": kind, "name": "cart-1"},
        "firstTimestamp": at(first),
        "lastTimestamp": at(last),
    }


def test_without_any_sign_the_report_is_the_first_one() -> None:
    assert fault_start(None, CREATED, HEALTHY, [], []) == (CREATED, False)


def test_the_report_says_when_the_fault_began() -> None:
    stated = CREATED - timedelta(hours=2)
    assert fault_start(stated, CREATED, HEALTHY, [], []) == (stated, True)


def test_a_time_that_is_still_to_come_is_not_believed() -> None:
    later = CREATED + timedelta(hours=2)
    assert fault_start(later, CREATED, HEALTHY, [], []).at == CREATED


def test_a_pod_that_lost_its_readiness_is_a_sign() -> None:
    began = fault_start(None, CREATED, HEALTHY, [pod(ready=False, changed=600)], [])
    assert began == (NOON + timedelta(minutes=10), True)


def test_a_pod_that_is_deleted_is_no_sign() -> None:
    deleted = pod(ready=False, changed=600)
    deleted["metadata"]["deletionTimestamp"] = at(600)
    assert fault_start(None, CREATED, HEALTHY, [deleted], []) == (CREATED, False)


def test_a_warning_of_the_start_that_a_pod_got_over_does_not_count() -> None:
    ready = pod(ready=True, changed=5)
    assert fault_start(None, CREATED, HEALTHY, [ready], [warning(1, 3)]).at == CREATED
    later = fault_start(None, CREATED, HEALTHY, [ready], [warning(700, 900)])
    assert later == (NOON + timedelta(seconds=700), False)


def test_a_pod_that_never_was_ready_fails_since_its_first_warning() -> None:
    failing = pod(ready=False, changed=0)
    began = fault_start(None, CREATED, HEALTHY, [failing], [warning(2, 900)])
    assert began == (NOON, True)


def test_warnings_about_pods_that_are_gone_do_not_count() -> None:
    assert fault_start(None, CREATED, HEALTHY, [], [warning(2, 900)]).at == CREATED


def test_a_refused_pod_counts_while_pods_are_missing() -> None:
    refused = warning(60, 120, "ReplicaSet", "FailedCreate")
    assert fault_start(None, CREATED, HEALTHY, [], [refused]).at == CREATED
    condition = {"type": "ReplicaFailure", "status": "True", "lastTransitionTime": at(70)}
    missing = {"spec": {"replicas": 2}, "status": {"conditions": [condition]}}
    assert fault_start(None, CREATED, missing, [], [refused]) == (NOON + timedelta(minutes=1), True)
