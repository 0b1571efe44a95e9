"""The harness detects faults: operators with a mutation, and the violation of each."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest

from reme_api.approval import Approval
from reme_api.conditions import Status
from reme_api.reasons import Reason
from reme_api.remediation import Attempt, Remediation
from reme_kube.cluster import ApiCluster
from reme_kube.resources import ROLE_BINDINGS
from reme_operator.admission import admit
from reme_operator.admission import report_status as operator_reports
from reme_operator.admission.storm import StormState
from reme_operator.decision import manual_rollback, plan_approval, probe_verdict
from reme_operator.decision.decisions import Capture, CreateRun, RecordRun
from reme_operator.kill_switch import watch
from reme_operator.kill_switch.state import OFF, KillSwitchState
from reme_operator.reconcile import observe, reconciler
from reme_operator.steps import job, registry, run_request
from reme_operator.steps.context import StepContext, StepResult
from reme_operator.steps.registry import STEP_HANDLERS
from reme_playbook.actions.registry import Action
from reme_playbook.actions.scale import Scale
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.execution import manifests
from reme_playbook.execution import rollback as rollback_module
from reme_playbook.snapshot.pod_template import digest
from tests.crash.conftest import ignores_unraisable
from tests.crash.schedule import Fault, Schedule
from tests.crash.simulate import Report, simulate
from tests.crash.test_regressions import slow_acceptance
from tests.doubles.sim_loop import current_process

pytestmark = ignores_unraisable

DRAINED_BEFORE_A_JOB = (1, 2, 3)
ABORTED_IN_A_RUN = (1, 2, 3)
"""Seeds in which the kill switch comes at such a moment."""


@contextmanager
def performing(kind: type, mutant: Any) -> Iterator[None]:
    """Have one kind of decision carried out in another way."""
    with mock.patch.object(registry, "STEP_HANDLERS", dict(STEP_HANDLERS) | {kind: mutant}):
        yield


def after(what: str, scenario: str = "verified") -> Schedule:
    """Return a kill after the first request of that kind."""
    return Schedule(0, scenario, (Fault("kill-after", 0, what),))


def kinds(reports: list[Report]) -> set[str]:
    return {v.kind for report in reports for v in report.violations}


def says(report: Report, words: str) -> bool:
    """Return whether one of the violations says this."""
    return any(words in violation.text for violation in report.violations)


def test_a_job_whose_name_is_not_always_the_same_is_caught() -> None:
    create = STEP_HANDLERS[CreateRun]

    async def mutant(work: StepContext, decision: CreateRun) -> StepResult:
        # As if the name came from a clock or from chance: each process makes up its own.
        owner = current_process()
        assert owner is not None
        name = f"reme-{work.remediation.metadata.uid[:8]}-{owner.name.replace('.', '-')}"
        attempt = work.attempt.model_copy(
            update={"run": work.attempt.run.model_copy(update={"name": name})}  # type: ignore[union-attr]
        )
        status = work.status.model_copy(update={"attempts": [attempt]})
        remediation = work.remediation.model_copy(update={"status": status})
        observed = dataclasses.replace(work.observed, remediation=remediation)
        renamed = dataclasses.replace(work, observed=observed)
        with mock.patch.object(manifests, "run_name", return_value=name):
            return await create(renamed, decision)

    with performing(CreateRun, mutant):
        names = kinds([simulate(after("CreateRun: POST jobs"))])
    assert names & {"repeated", "lost"}, names


def test_a_status_that_is_written_before_its_job_is_there_is_caught() -> None:
    capture = STEP_HANDLERS[Capture]

    async def mutant(work: StepContext, decision: Capture) -> StepResult:
        effect = await capture(work, decision)
        assert effect.status is not None
        *earlier, attempt = effect.status.attempts
        assert attempt.run is not None
        run = attempt.run.model_copy(update={"uid": "it-will-be-there-soon"})
        attempts = [*earlier, attempt.model_copy(update={"run": run})]
        return StepResult(effect.status.model_copy(update={"attempts": attempts}))

    with performing(Capture, mutant):
        names = kinds([simulate(after("Capture: PUT remediations/status"))])
    assert "untrue" in names, names


def test_a_run_that_is_said_to_have_succeeded_and_did_not_is_caught() -> None:
    record = STEP_HANDLERS[RecordRun]

    async def mutant(work: StepContext, decision: RecordRun) -> StepResult:
        return await record(work, dataclasses.replace(decision, reason=Reason.RUN_SUCCEEDED))

    with performing(RecordRun, mutant):
        names = kinds([simulate(Schedule(1, "rolled-back", (Fault("pod", 1, "killed:claimed"),)))])
    assert "lost" in names, names


def test_rights_that_are_left_behind_are_caught() -> None:
    delete = ApiCluster.delete

    async def forgets(self: ApiCluster, resource: Any, *args: Any) -> bool:
        return True if resource is ROLE_BINDINGS else await delete(self, resource, *args)

    with mock.patch.object(ApiCluster, "delete", forgets):
        report = simulate(Schedule(1, "verified"))
    assert "orphan" in kinds([report]), report.violations


def test_an_operator_that_gives_up_is_caught() -> None:
    async def sleeps(self: reconciler.RemediationReconciler, error: Exception) -> None:
        await self._deps.clock.sleep(10_000)

    patience = mock.patch("tests.crash.simulate.RECOVERY_TIMEOUT_SECONDS", 300)
    with patience, mock.patch.object(reconciler.RemediationReconciler, "_backoff", sleeps):
        faults = (Fault("error-before", 60, "6"),)
        report = simulate(Schedule(1, "verified", faults))
    assert "stuck" in kinds([report]), (report.events, report.violations)


# approval ----------------------------------------------------------------------------------------


def test_a_run_that_nobody_approved_is_caught() -> None:
    rules = tuple(rule for rule in plan_approval._BEFORE_RUN if rule is not plan_approval._mode)
    with mock.patch.object(plan_approval, "_BEFORE_RUN", rules):
        report = simulate(Schedule(1, "expired"))
    assert says(report, "nobody had approved its plan"), report.violations


def test_an_approval_of_another_plan_is_caught() -> None:
    with mock.patch.object(plan_approval, "_is_about", return_value=True):
        report = simulate(Schedule(1, "replanned"))
    assert says(report, "no approval of its plan"), report.violations


def test_a_decision_that_is_recorded_twice_is_caught() -> None:
    def again(approval: Approval | None, attempt: Attempt) -> bool:
        fresh = len(attempt.approvals) < 2
        return fresh and approval is not None and attempt.plan is not None

    with mock.patch.object(plan_approval, "is_new_decision", again):
        report = simulate(Schedule(1, "approved"))
    assert says(report, "recorded twice"), report.violations


def test_another_playbook_than_the_one_that_was_approved_is_caught() -> None:
    def other(text: str, **more: Any) -> tuple[Action, ...]:
        actions = compile_playbook(text, **more)
        return tuple(
            a.model_copy(update={"replicas": 2}) if isinstance(a, Scale) else a for a in actions
        )

    with mock.patch.object(run_request, "compile_playbook", other):
        report = simulate(Schedule(1, "replanned"))
    assert says(report, "another playbook than the one"), report.violations


# manual rollbacks --------------------------------------------------------------------------------


def test_a_rollback_that_is_started_twice_is_caught() -> None:
    original = manual_rollback.manual_rollback_requested

    def again(remediation: Remediation) -> bool:
        rollback_request, manual_rollbacks = (
            remediation.spec.rollback,
            remediation.status.manual_rollbacks,
        )
        return original(remediation) or (
            rollback_request is not None and len(manual_rollbacks) == 1
        )

    with (
        mock.patch.multiple(manual_rollback, manual_rollback_requested=again),
        mock.patch.object(observe, "manual_rollback_requested", again),
    ):
        report = simulate(Schedule(1, "manual-rollback"))
    assert says(report, "rollback 1 was started 2 times"), report.violations


def test_a_rollback_over_another_change_is_caught() -> None:
    plan = rollback_module.plan_rollback

    def over(capture: Any, live: Any) -> Any:
        after = (digest(live.template),)
        items = [item.model_copy(update={"after": after}) for item in capture.items]
        return plan(capture.model_copy(update={"items": items}), live)

    with mock.patch.object(rollback_module, "plan_rollback", over):
        report = simulate(Schedule(1, "manual-rollback-over-change"))
    assert says(report, "a rollback overwrote it"), report.violations


def test_a_rollback_during_another_remediation_is_caught() -> None:
    async def fine(*_: Any) -> str:
        return ""

    with (
        mock.patch.object(job, "find_open_remediation", fine),
        mock.patch.object(observe, "find_acting_remediation", fine),
    ):
        course = slow_acceptance()
    assert any("rolled back by hand while another" in str(wrong) for wrong in course.wrong), (
        course.wrong
    )


# the kill switch ---------------------------------------------------------------------------------


def test_an_ignored_kill_switch_is_caught() -> None:
    with mock.patch.object(watch, "parse_kill_switch", return_value=OFF):
        reports = [simulate(Schedule(seed, "drained")) for seed in DRAINED_BEFORE_A_JOB]
    assert any(says(r, "after it observed the switch") for r in reports), kinds(reports)


def test_a_run_that_goes_on_when_it_should_stop_is_caught() -> None:
    with mock.patch.object(KillSwitchState, "aborts_runs", property(lambda _: False)):
        reports = [simulate(Schedule(seed, "aborted")) for seed in ABORTED_IN_A_RUN]
    assert any(says(r, "long after the kill switch was to abort it") for r in reports), kinds(
        reports
    )


# storms ------------------------------------------------------------------------------------------


def test_a_storm_that_is_not_detected_is_caught() -> None:
    with mock.patch.object(StormState, "active", property(lambda _: False)):
        report = simulate(Schedule(1, "storm"))
    assert says(report, "reports were waiting"), report.violations


def test_two_remediations_of_one_target_are_caught() -> None:
    with mock.patch.object(admit, "target_locked", return_value=None):
        report = simulate(Schedule(1, "storm"))
    assert says(report, "was created while another of"), report.violations


def test_a_false_status_of_a_report_is_caught() -> None:
    def always_verified(_: Any, entries: Any) -> tuple[Status, Reason, str]:
        name = entries[-1].name if entries else ""
        return Status.TRUE, Reason.PROBES_PASSED, f"{name}: Verified"

    with mock.patch.object(operator_reports, "_remediated", always_verified):
        report = simulate(Schedule(1, "rejected"))
    assert says(report, "report cart-down says"), report.violations


def test_an_unchecked_neighbour_is_caught() -> None:
    with mock.patch.object(probe_verdict, "degraded_neighbours", return_value=()):
        report = simulate(Schedule(1, "neighbour"))
    assert says(report, "ended as Verified"), report.violations


def test_a_list_that_was_stale_before_the_event_excuses_nothing() -> None:
    with mock.patch.object(probe_verdict, "degraded_neighbours", return_value=()):
        report = simulate(Schedule(1, "neighbour", (Fault("stale-lists", 0, "1"),)))
    assert says(report, "ended as Verified"), report.violations


@pytest.mark.parametrize("text", ["kill-after@12", "pod@1:killed:claimed", "outage@3:20"])
def test_a_fault_is_read_as_it_is_printed(text: str) -> None:
    assert str(Fault.parse(text)) == text
