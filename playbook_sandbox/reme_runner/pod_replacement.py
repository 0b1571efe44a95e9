"""Deletes the pods that keep a StatefulSet from rolling out its new template."""

import time
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Any, Protocol

from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.stuck_pods import REVISION_LABEL
from reme_playbook.snapshot.views import pod as pod_view
from reme_runner.api_client import ApiResponse

WAIT_SECONDS = 5.0
"""How long the controller may take to observe the template, and then a pod to stop being ready."""
_POLL_SECONDS = 0.25
_NO_RESPONSE, _OK, _ACCEPTED, _NOT_FOUND, _CONFLICT = 0, 200, 202, 404, 409


class Server(Protocol):
    """What is needed of the API server."""

    def request(
        self, method: str, path: str, body: Any = None, content_type: str = ""
    ) -> ApiResponse:
        """Send one request and never raise."""


class PodReplacementError(Exception):
    """The API server refused to show or to delete a pod."""


class _Pod(Enum):
    REPLACED = auto()
    DELETED = auto()
    WAITING = auto()


def replace_stuck_pods(
    server: Server,
    stateful_set: str,
    pods: Sequence[str],
    revision: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> list[str]:
    """Delete those of the pods that are of the revision and not ready; return their paths.

    `stateful_set` and `pods` are paths at the API server. A pod that is ready is left to the
    controller, which replaces it itself.

    Raises:
        PodReplacementError: the API server refused to show or to delete a pod.
    """
    deadline = monotonic() + WAIT_SECONDS
    while not _is_observed(server, stateful_set) and monotonic() < deadline:
        # A pod that is deleted before may be created from the template that is left.
        sleep(_POLL_SECONDS)
    deadline = monotonic() + WAIT_SECONDS
    remaining, deleted = list(pods), list[str]()
    while remaining:
        outcomes = {path: _replace(server, path, revision) for path in remaining}
        deleted += [path for path in remaining if outcomes[path] is _Pod.DELETED]
        remaining = [path for path in remaining if outcomes[path] is _Pod.WAITING]
        if monotonic() >= deadline:
            break
        if remaining:
            sleep(_POLL_SECONDS)
    return deleted


def _is_observed(server: Server, stateful_set: str) -> bool:
    body = server.request("GET", stateful_set).body
    generation = unstructured.number(body, "metadata", "generation")
    return unstructured.number(body, "status", "observedGeneration") >= generation > 0


def _replace(server: Server, path: str, revision: str) -> _Pod:
    response = server.request("GET", path)
    if response.status == _NOT_FOUND:
        return _Pod.REPLACED
    if response.status == _NO_RESPONSE:
        return _Pod.WAITING
    if response.status != _OK:
        raise PodReplacementError(response.message or f"the API server returned {response.status}")
    metadata = unstructured.mapping(response.body, "metadata")
    if unstructured.text(metadata, "labels", REVISION_LABEL) != revision:
        return _Pod.REPLACED
    if unstructured.text(metadata, "deletionTimestamp"):
        return _Pod.REPLACED
    if pod_view(response.body).ready:
        return _Pod.WAITING
    # Only this very pod, and only while it is as it was read.
    preconditions = {key: metadata.get(key) for key in ("uid", "resourceVersion")}
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
    deletion = server.request("DELETE", path, options, "application/json")
    if deletion.status in (_OK, _ACCEPTED):
        return _Pod.DELETED
    if deletion.status in (_NOT_FOUND, _CONFLICT, _NO_RESPONSE):
        return _Pod.WAITING
    raise PodReplacementError(deletion.message or f"the API server returned {deletion.status}")
