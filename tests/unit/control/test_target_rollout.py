"""Whether a target is as it was before the run: settled, as available, without leftovers."""

from typing import Any

import pytest

from reme_api.remediation import TargetState
from reme_operator.decision.target_rollout import RolloutCheck, check_rollout
from reme_operator.steps.target_state import target_state
from tests.doubles.builders import DIGEST, NOW, later
from tests.unit.playbook.builders import Shop

Json = dict[str, Any]


def workload(desired: int = 2, **status: int) -> Json:
    base = {"observedGeneration": 4, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
    return {
        "kind": "Deployment",
        "metadata": {"name": "cart", "generation": 4},
        "spec": {"replicas": desired},
        "status": base | status,
    }


def before(**fields: Any) -> TargetState:
    base = {"desired": 2, "current": 2, "updated": 2, "available": 2}
    return TargetState(template_digest=DIGEST, **(base | fields))


def pod(**metadata: str) -> Json:
    return {"metadata": {"name": "cart-1", **metadata}}


def unsettled(live: Json, state: TargetState | None = None, *pods: Json) -> str:
    return check_rollout(live, pods, state or before(), NOW).unsettled


def test_a_target_that_is_as_before_has_settled() -> None:
    assert check_rollout(workload(), [pod()], before(), NOW) == RolloutCheck()


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ({"observedGeneration": 3}, "its controller has not seen the change yet"),
        ({"updatedReplicas": 1}, "1 of 2 pods are of the template of before"),
        ({"replicas": 3}, "3 pods instead of 2"),
        ({"availableReplicas": 1}, "1 of 2 pods are available"),
    ],
)
def test_what_is_missing_is_said(status: dict[str, int], message: str) -> None:
    assert unsettled(workload(**status)) == message


def test_pods_that_are_terminating_since_the_run_are_waited_for() -> None:
    leaving = pod(deletionTimestamp=later(5).isoformat())
    assert unsettled(workload(), None, leaving) == "1 pod is still terminating"
    assert unsettled(workload(), None, leaving, leaving) == "2 pods are still terminating"
    stuck = pod(deletionTimestamp=later(-500).isoformat())
    assert unsettled(workload(), None, stuck) == "", "it was so before"


def test_a_target_that_was_not_ready_has_to_be_no_more_ready() -> None:
    broken = before(available=0, updated=1, current=3)
    assert unsettled(workload(availableReplicas=0, updatedReplicas=1, replicas=3), broken) == ""
    assert unsettled(workload(availableReplicas=0, updatedReplicas=0, replicas=3), broken)
    assert unsettled(workload(availableReplicas=0, updatedReplicas=1, replicas=4), broken)


def test_another_number_of_replicas_that_somebody_set_meanwhile_is_no_fault_of_it() -> None:
    smaller = workload(desired=1, updatedReplicas=1, availableReplicas=1)
    smaller["status"]["replicas"] = 1
    assert unsettled(smaller, before()) == ""


def test_it_is_worse_if_pods_that_were_available_do_not_come_back() -> None:
    live = workload(availableReplicas=0)
    assert (
        check_rollout(live, [], before(), NOW).worse
        == "0 of 2 pods are available, 2 before the run"
    )
    crashing = before(available=1, crashing=1)
    assert check_rollout(live, [], crashing, NOW).worse == "", "they came and went before too"
    assert check_rollout(live, [], before(available=0), NOW).worse == ""


def test_without_a_record_of_before_the_rollout_has_to_reach_every_pod() -> None:
    assert check_rollout(workload(availableReplicas=0), [], None, NOW) == RolloutCheck()
    assert check_rollout(workload(updatedReplicas=1), [], None, NOW).unsettled
    without = workload()
    del without["status"]["observedGeneration"]
    assert check_rollout(without, [], before(), NOW) == RolloutCheck()


def test_a_daemon_set_counts_nodes() -> None:
    status = {
        "observedGeneration": 4,
        "desiredNumberScheduled": 3,
        "currentNumberScheduled": 3,
        "updatedNumberScheduled": 1,
        "numberAvailable": 3,
    }
    live = {"metadata": {"generation": 4}, "spec": {}, "status": status}
    state = before(desired=3, current=3, updated=3, available=3)
    assert unsettled(live, state) == "1 of 3 pods are of the template of before"


def test_the_state_of_a_target_says_what_crashes_and_what_was_killed() -> None:
    status = {"replicas": 2, "updatedReplicas": 1, "availableReplicas": 1}
    live = Shop(status=status).live()
    key = next(k for k in live.objects if k.kind == "Pod")
    terminated = {"terminated": {"reason": "OOMKilled"}}
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    container = {"name": "server", "state": waiting, "lastState": terminated, "restartCount": 3}
    live.objects[key]["status"]["containerStatuses"] = [container]
    state = target_state(live)
    assert (state.desired, state.current, state.updated, state.available) == (2, 2, 1, 1)
    assert (state.crashing, state.killed_for_memory) == (1, ["server"])
    assert state.template_digest.startswith("sha256:")
