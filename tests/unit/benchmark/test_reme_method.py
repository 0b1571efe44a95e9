"""The report on what reme did: a run counts as an action, whatever came after it."""

from typing import Any, cast

import pytest

from reme_api.remediation import Remediation
from reme_benchmark.kube.cluster import Cluster
from reme_benchmark.methods.reme import linked_remediations, reported

BEGAN = "2026-03-01T10:00:00Z"
RAN: dict[str, Any] = {
    "number": 1,
    "startTime": BEGAN,
    "run": {"name": "reme-run-1", "namespace": "reme-sandbox", "reason": "RunSucceeded"},
}
NOT_RUN: dict[str, Any] = {"number": 2, "startTime": BEGAN}


def ended(
    outcome: str, *attempts: dict[str, Any], name: str = "r-1", opened_by: str = ""
) -> Remediation:
    link = {"remediation": opened_by, "uid": opened_by, "depth": 1}
    return Remediation.model_validate(
        {
            "metadata": {"name": name, "namespace": "shop", "uid": name},
            "spec": {
                "target": {"kind": "Deployment", "name": "cart"},
                "fault": {"type": "oom"},
                "reportRef": {"name": "r", "uid": f"report of {name}"},
                **({"followUpOf": link} if opened_by else {}),
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


def timed(*steps: str) -> list[dict[str, Any]]:
    return [{"step": step, "startTime": BEGAN, "durationMilliseconds": 1500} for step in steps]


async def test_the_remediations_of_causes_belong_to_the_report() -> None:
    first = ended("Verified", NOT_RUN | {"timings": timed("Investigate", "FollowCause")})
    second = ended("Verified", RAN | {"timings": timed("Execute")}, name="r-2", opened_by="r-1")
    third = ended("Verified", NOT_RUN, name="r-3", opened_by="r-2")
    other = ended("Verified", NOT_RUN, name="r-4")
    items = [one.manifest() for one in (third, other, second, first)]
    linked = linked_remediations(items, "report of r-1")
    assert [one.metadata.name for one in linked] == ["r-1", "r-2", "r-3"]
    assert linked_remediations(items, "report of another") == []
    report = await reported(cast("Cluster", None), *linked)
    assert report.acted
    assert (report.outcome, report.attempts, report.follow_ups) == ("Verified", 3, 2)
    assert report.steps == {"Investigate": 1.5, "Execute": 1.5}
