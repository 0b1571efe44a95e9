"""Which events still matter."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from reme_playbook.snapshot.current_events import current_events
from reme_playbook.snapshot.snapshot import ClusterSnapshot, EventLine
from tests.unit.playbook.builders import Json, Shop, key
from tests.unit.playbook.constrained import STUCK

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
REFUSED = EventLine("ReplicaSet", "cart-hash1", "FailedCreate", "exceeded quota", 9, age_seconds=60)
WHOLE = {"replicas": 2, "updatedReplicas": 2}


def reasons(live: ClusterSnapshot) -> list[str]:
    return [event.reason for event in current_events(live)]


def about_pod(reason: str, age: int | None, ready_since: str) -> ClusterSnapshot:
    event = EventLine("Pod", "cart-6d-0", reason, "failed", age_seconds=age)
    live = Shop(events=(event,)).live()
    manifest: Json = live.objects[key("Pod", "cart-6d-0")]  # type: ignore[assignment]
    manifest["status"]["conditions"][0]["lastTransitionTime"] = ready_since
    return replace(live, collected_at=NOW)


@pytest.mark.parametrize(
    ("status", "matters"),
    [
        (WHOLE, False),
        ({"replicas": 1, "updatedReplicas": 1}, True),
        ({"replicas": 2, "updatedReplicas": 1}, True),  # the rollout cannot go on
    ],
)
def test_that_pods_could_not_be_created_matters_while_some_are_missing(
    status: Json, matters: bool
) -> None:
    live = Shop(status=status, events=(REFUSED,)).live()
    assert reasons(live) == (["FailedCreate"] if matters else [])


def test_that_pods_of_an_older_revision_could_not_be_created_is_past() -> None:
    status = {"replicas": 1, "updatedReplicas": 1}
    newer = replace(REFUSED, name="cart-hash7")
    assert reasons(Shop(status=status, events=(newer,)).live()) == []


def test_that_a_pod_could_not_be_placed_matters_while_it_is_not() -> None:
    placed = EventLine("Pod", "cart-6d-0", "FailedScheduling", "no ports", age_seconds=5)
    waiting = EventLine("Pod", "cart-7e-0", "FailedScheduling", "no ports", age_seconds=5)
    live = replace(STUCK, events=(placed, waiting)).live()
    assert list(current_events(live)) == [waiting]


@pytest.mark.parametrize("reason", ["Unhealthy", "FailedMount", "Failed", "BackOff"])
def test_trouble_at_the_start_of_a_pod_that_is_ready_since_then_is_past(reason: str) -> None:
    ready = "2026-01-01T11:58:00Z"
    assert reasons(about_pod(reason, 125, ready)) == []
    assert reasons(about_pod(reason, 30, ready)) == [reason]
    assert reasons(about_pod(reason, None, ready)) == [reason]
    assert reasons(about_pod(reason, 125, "")) == [reason]


def test_trouble_of_a_pod_that_is_not_ready_matters() -> None:
    event = EventLine("Pod", "cart-6d-0", "Unhealthy", "404", age_seconds=500)
    assert reasons(Shop(ready=False, events=(event,)).live()) == ["Unhealthy"]


def test_other_events_stay() -> None:
    event = EventLine("Deployment", "cart", "Anything", "happened")
    killed = EventLine("Pod", "cart-6d-0", "Evicted", "by the node")
    assert reasons(Shop(events=(event, killed)).live()) == ["Anything", "Evicted"]
