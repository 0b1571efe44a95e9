"""The harness must be able to fail: operators with a mistake in them, and what it says of each."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest

from reme_api.reasons import Reason
from reme_operator import driver
from reme_operator.clients.cluster import ApiCluster
from reme_operator.clients.resources import ROLE_BINDINGS
from reme_operator.decisions import Capture, CreateRun, RecordRun
from reme_operator.steps import catalogue
from reme_operator.steps.catalogue import PERFORM
from reme_operator.steps.work import Effect, Work
from reme_sandbox import job
from tests.crash.conftest import quietly
from tests.crash.schedule import Fault, Schedule
from tests.crash.simulate import Report, simulate
from tests.doubles.sim_loop import current_process

pytestmark = quietly


@contextmanager
def performing(kind: type, mutant: Any) -> Iterator[None]:
    """Have one kind of decision carried out in another way."""
    with mock.patch.object(catalogue, "PERFORM", dict(PERFORM) | {kind: mutant}):
        yield


def after(what: str, scenario: str = "verified") -> Schedule:
    """Return a kill after the first request of that kind."""
    return Schedule(0, scenario, (Fault("kill-after", 0, what),))


def kinds(reports: list[Report]) -> set[str]:
    return {v.kind for report in reports for v in report.violations}


def test_a_job_whose_name_is_not_always_the_same_is_caught() -> None:
    create = PERFORM[CreateRun]

    async def mutant(work: Work, decision: CreateRun) -> Effect:
        # As if the name came from a clock or from chance: each process makes up its own.
        owner = current_process()
        assert owner is not None
        name = f"reme-{work.remediation.metadata.uid[:8]}-{owner.name.replace('.', '-')}"
        attempt = work.attempt.model_copy(
            update={"run": work.attempt.run.model_copy(update={"name": name})}  # type: ignore[union-attr]
        )
        status = work.status.model_copy(update={"attempts": [attempt]})
        found = work.remediation.model_copy(update={"status": status})
        renamed = dataclasses.replace(work, seen=dataclasses.replace(work.seen, remediation=found))
        with mock.patch.object(job, "run_name", return_value=name):
            return await create(renamed, decision)

    with performing(CreateRun, mutant):
        found = kinds([simulate(after("CreateRun: POST jobs"))])
    assert found & {"repeated", "lost"}, found


def test_a_status_that_is_written_before_its_job_is_there_is_caught() -> None:
    capture = PERFORM[Capture]

    async def mutant(work: Work, decision: Capture) -> Effect:
        effect = await capture(work, decision)
        assert effect.status is not None
        *earlier, attempt = effect.status.attempts
        assert attempt.run is not None
        run = attempt.run.model_copy(update={"uid": "it-will-be-there-soon"})
        attempts = [*earlier, attempt.model_copy(update={"run": run})]
        return Effect(effect.status.model_copy(update={"attempts": attempts}))

    with performing(Capture, mutant):
        found = kinds([simulate(after("Capture: PUT remediations/status"))])
    assert "untrue" in found, found


def test_a_run_that_is_said_to_have_succeeded_and_did_not_is_caught() -> None:
    record = PERFORM[RecordRun]

    async def mutant(work: Work, decision: RecordRun) -> Effect:
        return await record(work, dataclasses.replace(decision, reason=Reason.RUN_SUCCEEDED))

    with performing(RecordRun, mutant):
        found = kinds([simulate(Schedule(1, "undone", (Fault("pod", 1, "killed:claimed"),)))])
    assert "lost" in found, found


def test_rights_that_are_left_behind_are_caught() -> None:
    delete = ApiCluster.delete

    async def forgets(self: ApiCluster, resource: Any, *args: Any) -> bool:
        return True if resource is ROLE_BINDINGS else await delete(self, resource, *args)

    with mock.patch.object(ApiCluster, "delete", forgets):
        report = simulate(Schedule(1, "verified"))
    assert "orphan" in kinds([report]), report.violations


def test_an_operator_that_gives_up_is_caught() -> None:
    async def gives_up(self: driver.Driver, error: Exception) -> None:
        await self._tools.clock.sleep(10_000)

    patience = mock.patch("tests.crash.simulate.PATIENCE_SECONDS", 300)
    with patience, mock.patch.object(driver.Driver, "_stumble", gives_up):
        faults = (Fault("error-before", 60, "6"),)
        report = simulate(Schedule(1, "verified", faults))
    assert "stuck" in kinds([report]), (report.happened, report.violations)


@pytest.mark.parametrize("text", ["kill-after@12", "pod@1:killed:claimed", "outage@3:20"])
def test_a_fault_is_read_as_it_is_printed(text: str) -> None:
    assert str(Fault.parse(text)) == text
