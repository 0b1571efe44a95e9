"""Claims a run for this pod: at most one pod ever executes it, whatever is started or repeated."""

import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Protocol

from reme_api.content_types import JSON_PATCH
from reme_playbook.execution import result
from reme_runner.api_client import ApiResponse

CLAIM_SECONDS = 20
_RETRY_SECONDS = 0.2


class ClaimOutcome(StrEnum):
    """Which pod has the run."""

    OURS = "Ours"
    ANOTHERS = "Anothers"
    UNKNOWN = "Unknown"  # no response decided it, so nothing may be run


class ResultPatcher(Protocol):
    """Patches the result ConfigMap."""

    def patch(self, body: Any, content_type: str) -> ApiResponse:
        """Send one patch."""
        ...


def claim_run(
    client: ResultPatcher,
    claim: result.Claim,
    first: result.RunResult,
    stop: Callable[[], bool],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[ClaimOutcome, str]:
    """Write the claim where there is none; return which pod has the run, and the last refusal.

    The server tests and replaces in one step, so only one of two pods succeeds. After a lost
    response the nonce tells our own claim from another's. Refusals are retried for CLAIM_SECONDS,
    because the server may not know the run's grant or role yet, or until `stop` returns true.
    """
    text = claim.model_dump_json(by_alias=True)
    path = f"/data/{result.CLAIM_KEY}"
    write_claim = [
        {"op": "test", "path": path, "value": result.UNCLAIMED},
        {"op": "replace", "path": path, "value": text},
        {"op": "replace", "path": f"/data/{result.RESULT_KEY}", "value": dump(first)},
    ]
    test_claim = [{"op": "test", "path": path, "value": text}]
    deadline = clock() + CLAIM_SECONDS
    while True:
        response = client.patch(write_claim, JSON_PATCH)
        if response.status == 422 and not stop():
            response = client.patch(test_claim, JSON_PATCH)
            if response.status == 422:
                return ClaimOutcome.ANOTHERS, "another pod has claimed this run"
        if response.status == 200:
            return ClaimOutcome.OURS, ""
        if response.status == 404 or stop() or clock() >= deadline:
            return ClaimOutcome.UNKNOWN, f"{response.status} {response.message}".strip()
        sleep(_RETRY_SECONDS)


def dump(state: result.RunResult) -> str:
    """Return a result as it is stored in the ConfigMap."""
    return state.model_dump_json(by_alias=True, exclude_none=True)
