"""Takes a run for this pod: once, whatever is started twice, restarted or repeated."""

import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Protocol

from reme_playbook.execution import result
from reme_runner.api_client import JSON_PATCH, ApiResponse

CLAIM_SECONDS = 20
_PAUSE_SECONDS = 0.2


class ClaimOutcome(StrEnum):
    """Whose the run is."""

    OURS = "Ours"
    ANOTHERS = "Anothers"
    UNKNOWN = "Unknown"  # the API server would not say; nothing may be run


class Patches(Protocol):
    """The result ConfigMap."""

    def patch(self, body: Any, content_type: str) -> ApiResponse:
        """Send one patch."""
        ...


def take(
    api: Patches,
    claim: result.Claim,
    first: result.RunResult,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[ClaimOutcome, str]:
    """Put the claim where none is, and say whose the run is then, with the last refusal.

    The server tests and replaces in one step, so of two pods one is told no. An answer that was
    lost is asked for again: the nonce tells our own claim from another's. A grant or a role that
    the server has not noticed yet is refused for a moment: so refusals are tried again for a while.
    """
    text = claim.model_dump_json(by_alias=True)
    path = f"/data/{result.CLAIM_KEY}"
    put = [
        {"op": "test", "path": path, "value": result.UNCLAIMED},
        {"op": "replace", "path": path, "value": text},
        {"op": "replace", "path": f"/data/{result.RESULT_KEY}", "value": dump(first)},
    ]
    ask = [{"op": "test", "path": path, "value": text}]
    until = clock() + CLAIM_SECONDS
    while True:
        answer = api.patch(put, JSON_PATCH)
        if answer.status == 422:
            answer = api.patch(ask, JSON_PATCH)
            if answer.status == 422:
                return ClaimOutcome.ANOTHERS, "another pod has this run"
        if answer.status == 200:
            return ClaimOutcome.OURS, ""
        if answer.status == 404 or clock() >= until:
            return ClaimOutcome.UNKNOWN, f"{answer.status} {answer.message}".strip()
        sleep(_PAUSE_SECONDS)


def dump(state: result.RunResult) -> str:
    """Return a result as it lies in the ConfigMap."""
    return state.model_dump_json(by_alias=True, exclude_none=True)
