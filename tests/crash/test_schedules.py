"""A share of the schedules of `make test-crash`, in simulated time: each must come out right."""

from itertools import groupby

import pytest

from reme_operator.steps.registry import STEP_HANDLERS
from tests.crash.campaign import (
    Course,
    courses,
    kill_at_every_request,
    late_arrivals,
    schedules_of_seeds,
)
from tests.crash.conftest import ignores_unraisable
from tests.crash.schedule import SCENARIO_WEIGHTS, Fault, Schedule
from tests.crash.simulate import Report, Request, simulate

SEEDS = range(1, 41)
STATUS = "PUT+remediations/status"
pytestmark = ignores_unraisable


def recovers(schedule: Schedule) -> None:
    """State that a schedule leaves nothing behind that must not be."""
    report = simulate(schedule)
    message = "\n".join([*report.events, *report.kills, report.ends])
    assert not report.violations, f"{schedule}\n{message}\n{report.violations}"


@pytest.fixture(scope="module")
def known() -> dict[str, Course]:
    return courses()


@pytest.mark.parametrize("scenario", list(SCENARIO_WEIGHTS))
def test_nothing_is_wrong_where_nothing_goes_wrong(known: dict[str, Course], scenario: str) -> None:
    assert known[scenario].steps


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_recovers(known: dict[str, Course], seed: int) -> None:
    (schedule,) = schedules_of_seeds([seed], known)
    recovers(schedule)


def test_a_kill_after_each_write_that_makes_a_run_recovers(known: dict[str, Course]) -> None:
    """The part where a mistake would repeat or lose a run."""
    steps = known["verified"].steps
    chosen = [
        schedule
        for schedule in kill_at_every_request({"verified": known["verified"]}, ["verified"])
        for fault in schedule.faults
        if fault.kind == "kill-after" and steps[fault.at][0] in ("Capture", "CreateRun")
    ]
    assert len(chosen) >= 4
    for schedule in chosen:
        recovers(schedule)


@pytest.mark.parametrize(
    ("scenario", "decisive"),
    [
        # A decision could be recorded twice, or be carried out without an approval.
        ("edited", {"RecordApproval", "ApplyEdit", "Capture"}),
        # A report about the cause could be opened twice, or be lost.
        (
            "followed",
            {
                "OpenFollowUp",
                "CreateFollowUp",
                "RecordFollowUp",
                "EndFollowUp",
                "ConcludeFollowUp",
            },
        ),
        # A hold could be lost, or run beside another remediation.
        ("suspended", {"BeginHold", "EndHold", "Capture"}),
        # A rollback could be started twice, or be lost.
        (
            "manual-rollback",
            {"BeginManualRollback", "PlanRollback", "CreateRun(rollback)", "CloseManualRollback"},
        ),
    ],
)
def test_a_kill_after_each_write_that_follows_a_persons_word_recovers(
    known: dict[str, Course], scenario: str, decisive: set[str]
) -> None:
    steps = known[scenario].steps
    chosen = [
        schedule
        for schedule in kill_at_every_request({scenario: known[scenario]}, [scenario])
        for fault in schedule.faults
        if fault.kind == "kill-after" and steps[fault.at][0] in decisive
    ]
    assert {steps[s.faults[0].at][0] for s in chosen} == decisive
    for schedule in chosen:
        recovers(schedule)


def test_a_kill_at_each_write_of_a_rollback_recovers(known: dict[str, Course]) -> None:
    """A rollback could be repeated, or its pods be taken for symptoms of the next attempt."""
    steps = known["second-attempt"].steps
    decisive = {"PlanRollback", "VerifyRollback", "ConcludeRollback"}
    chosen = [
        schedule
        for schedule in kill_at_every_request(
            {"second-attempt": known["second-attempt"]}, ["second-attempt"]
        )
        for fault in schedule.faults
        if steps[fault.at][0] in decisive
    ]
    assert {steps[s.faults[0].at][0] for s in chosen} == decisive
    assert {s.faults[0].kind for s in chosen} == {"kill-before", "kill-after"}
    for schedule in chosen:
        recovers(schedule)


def test_a_kill_at_each_write_of_an_investigation_recovers(known: dict[str, Course]) -> None:
    """A round could be lost, or be chosen or performed twice."""
    steps = known["investigated"].steps
    chosen = [
        schedule
        for schedule in kill_at_every_request(
            {"investigated": known["investigated"]}, ["investigated"]
        )
        for fault in schedule.faults
        if steps[fault.at][0] in ("ChooseRound", "RunRound")
    ]
    assert {steps[s.faults[0].at][0] for s in chosen} == {"ChooseRound", "RunRound"}
    assert {s.faults[0].kind for s in chosen} == {"kill-before", "kill-after"}
    for schedule in chosen:
        recovers(schedule)


@pytest.mark.parametrize(
    "faults",
    [
        # Two kills, with the time of a grant between them.
        f"kill-after@0:PlanRollback:+{STATUS} kill-after@0:CreateRun(rollback):+POST+rungrants",
        # The leader is partitioned while it creates the run; its requests may still arrive.
        "partition@{job}:12",
        "partition@{job}:40",
        # Only the lease is lost.
        "lease-lost@{job}:20",
        # The first response is lost, the second operator is killed at the same request.
        "timeout-after@{job}:1 kill-after@{job}",
    ],
)
def test_leadership_that_changes_while_a_job_is_made_recovers(
    known: dict[str, Course], faults: str
) -> None:
    steps = known["rolled-back"].steps
    job = next(n for n, step in enumerate(steps) if step[2] == "POST jobs")
    chosen = tuple(Fault.parse(text) for text in faults.format(job=job).split())
    recovers(Schedule(7, "rolled-back", chosen, replicas=2))


def test_what_arrives_when_its_run_is_long_over_is_removed(known: dict[str, Course]) -> None:
    steps = known["rolled-back"].steps
    chosen = [
        schedule
        for schedule in late_arrivals(known, ["rolled-back"])
        if schedule.seed == 2 and steps[schedule.faults[0].at][0] == "CreateRun"
    ]
    assert len(chosen) >= 4
    for schedule in chosen:
        recovers(schedule)


@pytest.mark.parametrize(
    ("scenario", "faults"),
    [("second-attempt", "kill-after@90 outage@160:5"), ("edited", "kill-after@90 conflict@160:2")],
)
def test_the_same_schedule_has_the_same_course(scenario: str, faults: str) -> None:
    """Where one thing is done after the other; two that are busy at once may change places."""
    schedule = Schedule(3, scenario, tuple(map(Fault.parse, faults.split())))
    first, second = simulate(schedule), simulate(schedule)
    # Reads of one moment are asked for in the order of a set, which is never the same twice.
    assert _writes(first) == _writes(second)
    assert first.ends == second.ends


def _writes(report: Report) -> list[list[list[Request]]]:
    """Return the writes of the remediation, and those of everybody else, by step.

    The objects of a run are created at once, in any order.
    """
    writes = [request for request in report.requests if request.verb != "GET"]
    steps = {f"{kind.__name__}{suffix}" for kind in STEP_HANDLERS for suffix in ("", "(rollback)")}
    return [
        [
            sorted(requests, key=lambda request: request.path)
            for _, requests in groupby(
                (request for request in writes if (request.step in steps) is own),
                key=lambda request: (request.process, request.step),
            )
        ]
        for own in (True, False)
    ]
