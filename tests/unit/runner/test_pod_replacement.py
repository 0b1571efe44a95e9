"""Which pods a run deletes after it rolled a StatefulSet back."""

from typing import Any

import pytest

from reme_runner.api_client import ApiResponse
from reme_runner.pod_replacement import (
    WAIT_SECONDS,
    PodReplacementError,
    replace_stuck_pods,
)

SET = "/apis/apps/v1/namespaces/shop/statefulsets/cart"
POD = "/api/v1/namespaces/shop/pods/cart-2"


def pod(revision: str = "cart-bad", *, ready: bool = False, **metadata: Any) -> dict[str, Any]:
    labels = {"controller-revision-hash": revision}
    return {
        "metadata": {"labels": labels, "uid": "u", "resourceVersion": "7", **metadata},
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }


class Server:
    """Answers with the next of its responses; the last one is repeated."""

    def __init__(self, *pods: tuple[int, Any], observed: int = 2, deletion: int = 200) -> None:
        self.pods, self.observed, self.deletion = list(pods), observed, deletion
        self.sent: list[tuple[str, str, Any]] = []

    def request(
        self, method: str, path: str, body: Any = None, content_type: str = ""
    ) -> ApiResponse:
        self.sent.append((method, path, body))
        if path == SET:
            observed = {"observedGeneration": self.observed}
            return ApiResponse(200, {"metadata": {"generation": 2}, "status": observed})
        if method == "DELETE":
            return ApiResponse(self.deletion, {"message": "no grant"})
        status, pod = self.pods.pop(0) if len(self.pods) > 1 else self.pods[0]
        return ApiResponse(status, pod)

    @property
    def deletions(self) -> list[tuple[str, Any]]:
        return [(path, body) for method, path, body in self.sent if method == "DELETE"]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def replace(server: Server, *pods: str) -> tuple[list[str], float]:
    clock = Clock()
    deleted = replace_stuck_pods(
        server, SET, pods or (POD,), "cart-bad", sleep=clock.sleep, monotonic=lambda: clock.now
    )
    return deleted, clock.now


def test_a_pod_that_is_not_ready_is_deleted_as_it_was_read() -> None:
    server = Server((200, pod()))
    assert replace(server) == ([POD], 0)
    ((path, body),) = server.deletions
    assert (path, body["preconditions"]) == (POD, {"uid": "u", "resourceVersion": "7"})


@pytest.mark.parametrize(
    "pod",
    [
        (404, {}),
        (200, pod("cart-good")),
        (200, pod("cart-good", ready=True)),
        (200, pod(deletionTimestamp="2026-01-01T00:00:00Z")),
    ],
)
def test_a_pod_that_is_gone_or_of_another_revision_is_left(pod: tuple[int, Any]) -> None:
    server = Server(pod)
    assert replace(server) == ([], 0)
    assert not server.deletions


def test_a_pod_that_is_ready_is_waited_for_and_then_left() -> None:
    server = Server((200, pod(ready=True)))
    deleted, seconds = replace(server)
    assert deleted == []
    assert seconds >= WAIT_SECONDS
    assert not server.deletions


def test_a_pod_that_stops_being_ready_is_deleted() -> None:
    server = Server((200, pod(ready=True)), (200, pod()))
    assert replace(server)[0] == [POD]


def test_nothing_is_deleted_before_the_controller_knows_the_template() -> None:
    server = Server((200, pod()), observed=1)
    _, seconds = replace(server)
    assert seconds >= WAIT_SECONDS  # it goes on after that all the same
    assert [method for method, path, _ in server.sent if path == SET].count("GET") > 1


@pytest.mark.parametrize("status", [404, 409, 0])
def test_a_deletion_that_meets_another_pod_is_tried_again(status: int) -> None:
    server = Server((200, pod()), (404, {}), deletion=status)
    assert replace(server)[0] == []
    assert len(server.deletions) == 1


def test_a_refusal_is_an_error_and_says_why() -> None:
    with pytest.raises(PodReplacementError, match="no grant"):
        replace(Server((200, pod()), deletion=403))
    with pytest.raises(PodReplacementError, match="hidden"):
        replace(Server((403, {"message": "hidden"})))
