"""The report on what reme did: a run counts as an action, whatever came after it."""

from typing import Any, cast

import pytest

from reme_api.remediation import Remediation
from reme_benchmark.kube.cluster import Cluster
from reme_benchmark.methods.reme import reported

BEGAN = "2026-03-01T10:00:00Z"
RAN: dict[str, Any] = {
    "number": 1,
    "startTime": BEGAN,
    "run": {"name": "reme-run-1", "namespace": "reme-sandbox", "reason": "RunSucceeded"},
}
NOT_RUN: dict[str, Any] = {"number": 2, "startTime": BEGAN}


def ended(outcome: str, *attempts: dict[str, Any]) -> Remediation:
    return Remediation.model_validate(
        {
            "metadata": {"name": "r-1", "namespace": "shop"},
            "spec": {
                "target": {"kind": "Deployment", "name": "cart"},
                "fault": {"type": "oom"},
                "reportRef": {"name": "r", "uid": "u"},
                "probes": [],
                "policy": {"name": "p", "namespace": "shop", "spec": {}},
            },
            "status": {"outcome": outcome, "attempts": list(attempts)},
        }
    )


@pytest.mark.parametrize(
    ("outcome", "attempts", "acted"),
    [
        ("Verified", [RAN], True),
        ("Abstained", [RAN, NOT_RUN], True),
        ("Abstained", [NOT_RUN], False),
        ("NoActionNeeded", [], False),
    ],
)
async def test_it_acted_where_a_playbook_ran(
    outcome: str, attempts: list[dict[str, Any]], acted: bool
) -> None:
    report = await reported(cast("Cluster", None), ended(outcome, *attempts))
    assert report.acted is acted
    assert report.attempts == len(attempts)
