from typing import Any

import pytest

from reme_operator.probes.rollout import rollout_sample


def deployment(**status: int) -> dict[str, Any]:
    base = {
        "observedGeneration": 3,
        "replicas": 2,
        "updatedReplicas": 2,
        "availableReplicas": 2,
    }
    return {
        "kind": "Deployment",
        "metadata": {"name": "cart", "generation": 3},
        "spec": {"replicas": 2},
        "status": base | status,
    }


def test_a_complete_rollout_passes() -> None:
    sample = rollout_sample(deployment(), 1)
    assert sample.passed is True
    assert sample.value == "2/2 available, 2 updated"


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({"observedGeneration": 2}, "not been looked at"),
        ({"updatedReplicas": 1}, "1 of 2 replicas have the newest"),
        ({"replicas": 3}, "older template"),
        ({"availableReplicas": 1}, "1 of 2 replicas are available"),
    ],
)
def test_an_incomplete_rollout_fails_and_says_why(status: dict[str, int], why: str) -> None:
    sample = rollout_sample(deployment(**status), 1)
    assert sample.passed is False
    assert why in sample.message


def test_a_workload_scaled_to_nothing_is_not_healthy() -> None:
    gone = deployment(replicas=0, updatedReplicas=0, availableReplicas=0)
    gone["spec"]["replicas"] = 0
    assert rollout_sample(gone, 1).passed is False
    assert rollout_sample(gone, 0).passed is True


def test_a_workload_that_no_controller_has_seen_fails() -> None:
    new = {"kind": "Deployment", "metadata": {"name": "cart", "generation": 1}, "spec": {}}
    assert rollout_sample(new, 1).passed is False


def test_a_stateful_set_that_holds_pods_back_is_rolled_out_as_far_as_wanted() -> None:
    workload = deployment(updatedReplicas=1) | {"kind": "StatefulSet"}
    assert rollout_sample(workload, 1).passed is False
    workload["spec"]["updateStrategy"] = {"rollingUpdate": {"partition": 1}}
    assert rollout_sample(workload, 1).passed is True


def test_a_daemon_set_counts_nodes() -> None:
    workload: dict[str, Any] = {
        "kind": "DaemonSet",
        "metadata": {"name": "agent", "generation": 1},
        "status": {
            "observedGeneration": 1,
            "desiredNumberScheduled": 3,
            "updatedNumberScheduled": 3,
            "numberAvailable": 2,
        },
    }
    assert rollout_sample(workload, 1).passed is False
    workload["status"]["numberAvailable"] = 3
    assert rollout_sample(workload, 1).passed is True
