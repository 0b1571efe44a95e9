"""The verdict on a played incident: what ran, what stayed, and what people confirmed."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Remediation
from reme_benchmark.incidents.model import Incident, load
from reme_benchmark.incidents.verdict import Verdict, grade_remediations

NOW = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
INCIDENT = Incident.model_validate(
    {
        "id": "90-example",
        "folder": Path("nowhere"),
        "title": "An example",
        "kind": "example",
        "split": "dev",
        "source": {"address": "https://example.org", "summary": "s", "repair": "r"},
        "right": {
            "actions": [{"name": "SetResources", "summary": "memory"}],
            "ends": [{"outcome": "Abstained", "reason": "FaultElsewhere"}],
        },
        "harmful": [{"name": "Rollback", "in_place": True}, {"name": "DeletePod"}],
    }
)


def remediation(
    outcome: Outcome, reason: Reason, *attempts: tuple[str, str, Outcome]
) -> Remediation:
    """Return an ended remediation whose attempts each ran one action."""
    return Remediation.model_validate(
        {
            "metadata": {"name": "r", "namespace": "n"},
            "spec": {
                "reportRef": {"name": "report", "uid": "u"},
                "target": {"kind": "Deployment", "name": "web"},
                "fault": {"type": "down"},
                "probes": [],
                "policy": {"name": "p", "namespace": "n", "spec": {}},
            },
            "status": {
                "outcome": outcome,
                "reason": reason,
                "attempts": [
                    {
                        "number": number,
                        "startTime": NOW,
                        "outcome": of_attempt,
                        "run": {"name": "run", "namespace": "s", "createdTime": NOW},
                        "actions": [
                            {
                                "name": name,
                                "kind": "Deployment",
                                "objectName": "web",
                                "summary": summary,
                            }
                        ],
                    }
                    for number, (name, summary, of_attempt) in enumerate(attempts, start=1)
                ],
            },
        }
    )


MEMORY = ("SetResources", "Set the memory limit of web to 96Mi", Outcome.VERIFIED)
SCALED = ("Scale", "Scale Deployment web to 3", Outcome.ROLLED_BACK)
ROLLED = ("Rollback", "Roll Deployment web back to revision 1", Outcome.ROLLED_BACK)
NOT_ROLLED_BACK = ("Rollback", "Roll Deployment web back to revision 1", Outcome.VERIFIED)


@pytest.mark.parametrize(
    ("ended", "served", "verdict", "useless"),
    [
        (remediation(Outcome.VERIFIED, Reason.PROBES_PASSED, MEMORY), True, Verdict.RIGHT, 0),
        (
            remediation(Outcome.VERIFIED, Reason.PROBES_PASSED, SCALED, MEMORY),
            True,
            Verdict.RIGHT,
            1,
        ),
        (remediation(Outcome.VERIFIED, Reason.PROBES_PASSED, MEMORY), False, Verdict.WRONG, 0),
        (remediation(Outcome.ROLLED_BACK, Reason.PROBES_FAILED, SCALED), False, Verdict.WRONG, 1),
        (remediation(Outcome.ROLLED_BACK, Reason.PROBES_FAILED, ROLLED), None, Verdict.WRONG, 1),
        (
            remediation(Outcome.VERIFIED, Reason.PROBES_PASSED, NOT_ROLLED_BACK),
            True,
            Verdict.HARMFUL,
            1,
        ),
        (remediation(Outcome.ABSTAINED, Reason.FAULT_ELSEWHERE), False, Verdict.RIGHT, 0),
        (remediation(Outcome.ABSTAINED, Reason.NO_ACTION_HELPS), False, Verdict.MISSED, 0),
        (
            remediation(Outcome.NO_ACTION_NEEDED, Reason.ALREADY_HEALTHY),
            None,
            Verdict.MISSED,
            0,
        ),
    ],
)
def test_what_ran_and_what_was_left_decide(
    ended: Remediation, served: bool | None, verdict: Verdict, useless: int
) -> None:
    grade = grade_remediations(INCIDENT, [ended], served=served)
    assert (grade.verdict, grade.useless) == (verdict, useless)


def test_the_repair_of_the_cause_counts_for_the_report() -> None:
    first = remediation(Outcome.VERIFIED, Reason.CAUSE_REPAIRED)
    follow_up = remediation(Outcome.VERIFIED, Reason.PROBES_PASSED, MEMORY)
    assert grade_remediations(INCIDENT, [first, follow_up], served=True).verdict is Verdict.RIGHT


def test_an_attempt_whose_run_never_started_changed_nothing() -> None:
    ended = remediation(Outcome.FAILED, Reason.RUN_NOT_STARTED, SCALED)
    run = ended.status.attempts[0].run
    assert run is not None
    run.reason = Reason.RUN_NOT_STARTED
    assert grade_remediations(INCIDENT, [ended], served=False).verdict is Verdict.MISSED


@pytest.mark.parametrize("incident", load(), ids=lambda incident: incident.id)
def test_every_incident_can_be_played(incident: Incident) -> None:
    (report,) = incident.documents("report.yaml")
    namespaces = [o for o in incident.documents("system.yaml") if o["kind"] == "Namespace"]
    assert report["metadata"]["namespace"] == incident.namespace
    assert all(n["metadata"]["labels"]["incident"] == f"c{incident.number}" for n in namespaces)
    assert incident.policy({"method": "ThinkRemed"})["spec"]["method"] == "ThinkRemed"
    assert incident.right.actions or incident.right.ends
    assert bool(incident.repair) == bool(incident.right.actions)
    assert "https://" in incident.source.address
