"""Whatever happens in whatever order: it ends, it ends honestly, and nothing runs twice."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reme_api.approval import Approval, ApprovalDecision, ApprovalRecord, Plan, RollbackRequest
from reme_api.base import ArtifactReference
from reme_api.conditions import Status
from reme_api.investigation import Choice, InvestigationRound
from reme_api.policy import Method, Mode
from reme_api.probe_coverage import ProbeCoverage, ProbeSource
from reme_api.probes import ProbeResult, ProbeVerdict
from reme_api.reasons import ConditionType, Outcome, Reason
from reme_api.remediation import (
    Attempt,
    Generation,
    Hold,
    ManualRollback,
    Rejection,
    Remediation,
    Run,
)
from reme_operator.decision import decisions as d
from reme_operator.decision.baseline import decide_baseline
from reme_operator.decision.conditions import SUCCESSES, derive
from reme_operator.decision.decide import decide
from reme_operator.decision.holds import time_on_hold
from reme_operator.decision.manual_rollback import manual_rollback_requested
from reme_operator.decision.observed import (
    HoldReason,
    JobState,
    ModelFailures,
    Observed,
    ObservedRun,
)
from reme_operator.decision.plan_approval import PLAN_TTL
from reme_operator.decision.probe_verdict import ProbeHistory, ProbeRound
from reme_operator.probes.sample import Sample
from reme_playbook.execution.manifests import run_name
from tests.doubles.builders import (
    DIGEST,
    NOW,
    PLAN_DIGEST,
    RELEASE,
    later,
    remediation,
    text,
    window,
)

MOST_TURNS = 400
ROLLBACK_SECONDS = 5

times = st.floats(0, 200).map(later)
reasons = st.sampled_from(list(Reason))
verdicts = st.sampled_from(list(ProbeVerdict))
runs = st.builds(
    Run,
    name=st.just("reme-0a1b2c3d-1"),
    namespace=st.just(RELEASE),
    uid=st.sampled_from(["", "uid"]),
    createdTime=times,
    reason=st.none() | reasons,
    cleaned_up=st.booleans(),
)
plans = st.builds(
    Plan,
    name=st.just("reme-0a1b2c3d-1"),
    namespace=st.just(RELEASE),
    createdTime=times,
    completion_time=st.none() | times,
    digest=st.sampled_from([PLAN_DIGEST, DIGEST]),
    cleaned_up=st.booleans(),
)
approvals = st.builds(
    Approval,
    decision=st.sampled_from(["Approve", "Reject", "Edit"]),
    username=st.sampled_from(["ann", "bob"]),
    attempt=st.integers(1, 2),
    playbookDigest=st.just(DIGEST),
    planDigest=st.sampled_from([PLAN_DIGEST, DIGEST]),
    reason=st.sampled_from(["", "because"]),
    edited_playbook=st.sampled_from(["", "[]"]),
)
records = st.builds(
    ApprovalRecord,
    decision=st.sampled_from(["Approve", "Reject", "Edit"]),
    username=st.sampled_from(["ann", "bob"]),
    decisionTime=times,
    playbookDigest=st.just(DIGEST),
    planDigest=st.sampled_from([PLAN_DIGEST, DIGEST]),
    refusal_message=st.sampled_from(["", "no"]),
)
manual_rollbacks = st.builds(
    ManualRollback,
    number=st.integers(1, 2),
    username=st.just("ann"),
    attempt=st.integers(0, 1),
    startTime=times,
    run=st.none() | runs,
    verification=st.none() | st.builds(window, st.none() | st.sampled_from(list(ProbeVerdict))),
    outcome=st.none() | st.sampled_from([Outcome.ROLLED_BACK, Outcome.REJECTED]),
)
holds = st.builds(
    HoldReason,
    reason=st.sampled_from([Reason.SUSPENDED, Reason.OUTSIDE_WINDOW, Reason.TARGET_LOCKED]),
    message=st.just("somebody"),
)
windows = st.builds(window, st.none() | verdicts)
generations = st.builds(Generation, abstention_reason=st.sampled_from(["", "unclear"]))
rounds = st.builds(
    InvestigationRound,
    number=st.integers(1, 9),
    startTime=times,
    completion_time=st.none() | times,
    choice=st.sampled_from(list(Choice)),
    reason=st.none() | reasons,
    results=st.none() | st.just(text()),
    prompt_tokens=st.integers(0, 9000),
)
attempts = st.builds(
    Attempt,
    number=st.integers(1, 5),
    startTime=times,
    investigation=st.lists(rounds, max_size=4),
    generation=st.none() | generations,
    playbook=st.none() | st.just(text()),
    plan=st.none() | plans,
    approvals=st.lists(records, max_size=2),
    rejection=st.none() | st.just(Rejection(rule="Bounds", message="no")),
    capture=st.none() | st.just(text()),
    run=st.none() | runs,
    verification=st.none() | windows,
    rollback=st.none() | runs,
    rollback_verification=st.none() | windows,
    outcome=st.none() | st.sampled_from(list(Outcome)),
    reason=st.none() | reasons,
)
coverages = st.builds(
    ProbeCoverage,
    source=st.sampled_from(list(ProbeSource)),
    uncovered=st.sampled_from([[], ["POST /checkout"]]),
    evidence_items=st.integers(0, 2),
)
seen_runs = st.builds(
    ObservedRun,
    job=st.sampled_from(list(JobState)),
    claimed=st.booleans(),
    reason=st.none() | reasons,
)


@st.composite
def anything(draw: st.DrawFn) -> Observed:
    """Return any state at all, also those that no history leads to."""
    result = remediation(
        *draw(st.lists(attempts, max_size=3)),
        baseline=draw(st.none() | verdicts),
        measured=draw(times),
        started=draw(st.booleans()),
        outcome=draw(st.none() | st.sampled_from(list(Outcome))),
        cancel=draw(st.booleans()),
        approval=draw(st.none() | approvals),
        rollback_request=draw(
            st.none()
            | st.builds(RollbackRequest, username=st.just("ann"), number=st.integers(1, 2))
        ),
        deleting=draw(st.booleans()),
        mode=draw(st.sampled_from(["Auto", "Approve", "Observe"])),
        method=draw(st.sampled_from(["SoloGen", "ThinkRemed"])),
        investigation={
            "max_rounds": draw(st.integers(0, 3)),
            "follow_cause": draw(st.booleans()),
        },
        max_attempts=draw(st.integers(1, 5)),
        rollback={"enabled": draw(st.booleans())},
        evidence={
            "min_persistence_seconds": draw(st.sampled_from([0, 30])),
            "require_probe_failure": draw(st.booleans()),
        },
    )
    mapping = {
        "manual_rollbacks": draw(st.lists(manual_rollbacks, max_size=2)),
        "hold": draw(st.none() | st.builds(Hold, reason=reasons, start_time=times)),
        "held_seconds": draw(st.integers(0, 100)),
    }
    spec = result.spec.model_copy(update={"coverage": draw(coverages)})
    status = result.status.model_copy(update=mapping)
    result = result.model_copy(update={"spec": spec, "status": status})
    return Observed(
        result,
        report_gone=draw(st.booleans()),
        target_gone=draw(st.booleans()),
        hold=draw(st.none() | holds),
        run=draw(seen_runs),
        model_failures=draw(
            st.builds(ModelFailures, exhausted=st.booleans(), retry_at=st.none() | times)
        ),
        internal_error=draw(st.sampled_from(["", "it never works"])),
    )


@given(anything(), times)
def test_it_never_raises_and_always_says_the_same(observed: Observed, now: datetime) -> None:
    assert decide(observed, now) == decide(observed, now)


@given(anything(), times)
def test_the_end_is_the_end(observed: Observed, now: datetime) -> None:
    decision = decide(observed, now)
    if observed.remediation.status.outcome is not None:
        assert isinstance(decision, d.Done | d.CleanUp) or manual_rollback_requested(
            observed.remediation
        )
        assert not isinstance(decision, d.CloseAttempt | d.Finish | d.OpenAttempt)
    else:
        assert not isinstance(decision, d.Done)


@given(anything(), times, st.integers(0, 3))
def test_probes_that_cannot_see_the_fault_never_prove_health(
    observed: Observed, now: datetime, passed: int
) -> None:
    """A baseline is Passed only by probes that the author chose for all that the report names."""
    result = ProbeResult(name="answers", verdict=ProbeVerdict.PASSED, passed=passed)
    history = ProbeHistory(NOW, probes=(result,), rounds=60, last_at=NOW)
    decision = decide_baseline(replace(observed, probe_history=history), now)
    assert isinstance(decision, d.ConcludeBaseline)
    coverage, before = observed.remediation.spec.coverage, observed.remediation.status.baseline
    if coverage.uncovered:
        assert decision.verdict.verdict is not ProbeVerdict.PASSED
    has_failed = before is not None and before.verdict is not ProbeVerdict.UNKNOWN
    if coverage.source is ProbeSource.DERIVED and not has_failed:
        assert decision.verdict.verdict is not ProbeVerdict.PASSED


@given(anything(), times)
def test_an_investigation_stays_within_its_bounds(observed: Observed, now: datetime) -> None:
    decision = decide(observed, now)
    if not isinstance(decision, d.ChooseRound | d.RunRound):
        return
    policy, attempt = observed.policy, observed.attempt
    assert attempt is not None
    limits, rounds = policy.investigation, attempt.investigation
    assert policy.method is Method.THINK_REMED
    assert attempt.generation is None
    assert attempt.run is None
    assert decision.number <= limits.max_rounds + 1
    if rounds:
        assert now - rounds[0].start_time < timedelta(seconds=limits.max_seconds)
        assert sum(r.prompt_tokens + r.completion_tokens for r in rounds) < limits.max_tokens
        assert rounds[-1].choice is Choice.INSPECT
    if isinstance(decision, d.RunRound):
        assert rounds[-1].number == decision.number
        assert rounds[-1].completion_time is None
    else:
        assert decision.number == len(rounds) + 1
        assert not rounds or rounds[-1].completion_time is not None


@given(anything(), times)
def test_a_run_with_a_job_is_never_created(observed: Observed, now: datetime) -> None:
    decision = decide(observed, now)
    if isinstance(decision, d.CreateRun) and decision.kind is not d.RunKind.MANUAL_ROLLBACK:
        assert observed.attempt is not None
        rolls_back = decision.kind is d.RunKind.ROLLBACK
        run = observed.attempt.rollback if rolls_back else observed.attempt.run
        assert run is not None
        assert run.uid == ""
        assert run.reason is None
        assert not (observed.run.claimed and observed.run.job is JobState.ABSENT)


@given(anything(), times)
def test_nothing_runs_but_a_fresh_plan_that_was_allowed(observed: Observed, now: datetime) -> None:
    if not isinstance(decide(observed, now), d.Capture):
        return
    attempt = observed.attempt
    assert attempt is not None
    assert attempt.plan is not None
    assert attempt.plan.completion_time is not None
    assert not attempt.plan.cleaned_up
    assert now - attempt.plan.created_time < PLAN_TTL
    if observed.remediation.spec.policy.spec.mode is Mode.APPROVE:
        last = attempt.approvals[-1]
        assert last.decision is ApprovalDecision.APPROVE
        assert last.plan_digest == attempt.plan.digest


@given(anything(), times)
def test_nothing_is_planned_or_run_before_a_fault_has_lasted(
    observed: Observed, now: datetime
) -> None:
    result = observed.remediation
    policy, baseline = result.spec.policy.spec, result.status.baseline
    waits = policy.evidence.min_persistence_seconds and policy.mode is not Mode.OBSERVE
    if not waits or any(a.run for a in result.status.attempts):
        return
    if isinstance(decide(observed, now), d.RunDryRun | d.RenewPlan | d.Capture):
        assert now >= later(30)
        assert baseline is not None
        assert baseline.completion_time is not None
        assert baseline.completion_time >= later(30)
        assert baseline.verdict is not ProbeVerdict.PASSED


@given(anything(), times)
def test_the_conditions_never_contradict_the_outcome(observed: Observed, now: datetime) -> None:
    status = observed.remediation.status
    conditions = {c.type: c for c in derive(observed.remediation, status, now)}
    succeeded = conditions[ConditionType.SUCCEEDED]
    assert (succeeded.status is Status.UNKNOWN) == (status.outcome is None)
    assert (succeeded.status is Status.TRUE) == (status.outcome in SUCCESSES)


@dataclass
class World:
    """A cluster in which anything can go wrong; it counts what must not happen twice.

    A run happens when a pod claims it, which the API server lets one do.
    """

    draw: Any
    current: Remediation
    now: datetime = NOW
    claims: Counter[str] = field(default_factory=Counter)
    recorded: set[str] = field(default_factory=set)
    alive: ObservedRun = field(default_factory=ObservedRun)
    probe_history: ProbeHistory | None = None
    model_failures: ModelFailures = field(default_factory=ModelFailures)
    target_gone: bool = False
    report_gone: bool = False
    hold: HoldReason | None = None
    trail: list[str] = field(default_factory=list)

    def one_of(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def observe(self) -> Observed:
        return Observed(
            self.current,
            report_gone=self.report_gone,
            target_gone=self.target_gone,
            hold=self.hold,
            run=self.alive,
            probe_history=self.probe_history,
            model_failures=self.model_failures,
        )

    def disturb(self) -> None:
        """Let something happen that nobody asked for: restarts, people, the cluster."""
        others = (
            "restart",
            "cancel",
            "report",
            "target",
            "job",
            "decide",
            "decide",
            "decide",
            "hold",
            "hold",
        )
        event = self.one_of(*["nothing"] * 12, *others)
        if event == "restart":
            self.probe_history, self.model_failures = None, ModelFailures()
        elif event == "decide":
            self.decide()
        elif event == "cancel":
            spec = self.current.spec.model_copy(update={"cancel": True})
            self.current = self.current.model_copy(update={"spec": spec})
        elif event == "hold":
            away = None, None, HoldReason(Reason.OUTSIDE_WINDOW, "at night")
            self.hold = self.one_of(*away, HoldReason(Reason.SUSPENDED, "a person"))
        elif event == "report":
            self.report_gone = True
        elif event == "target":
            self.target_gone = self.one_of(False, True)
        elif event == "job":
            self.alive = replace(self.alive, job=JobState.ABSENT)

    def decide(self) -> None:
        """Have somebody decide, about the plan as it is or about another one."""
        last = self.current.status.attempts[-1] if self.current.status.attempts else None
        if last is None or last.playbook is None or last.plan is None or not last.plan.digest:
            return
        decision = self.one_of("Approve", "Approve", "Reject", "Edit")
        approval = Approval(
            decision=decision,
            username=self.one_of("ann", "bob"),
            attempt=last.number,
            playbook_digest=last.playbook.digest,
            plan_digest=self.one_of(last.plan.digest, DIGEST),
            reason="because",
            edited_playbook="[]" if decision == "Edit" else "",
        )
        spec = self.current.spec.model_copy(update={"approval": approval})
        self.current = self.current.model_copy(update={"spec": spec})

    def status(self, **fields: Any) -> None:
        status = self.current.status.model_copy(update=fields)
        self.current = self.current.model_copy(update={"status": status})

    def attempt(self, **fields: Any) -> None:
        last = self.current.status.attempts[-1].model_copy(update=fields)
        self.status(attempts=[*self.current.status.attempts[:-1], last])

    def run(self, kind: d.RunKind, **fields: Any) -> None:
        last = self.current.status.attempts[-1]
        rolls_back = kind is d.RunKind.ROLLBACK
        run = last.rollback if rolls_back else last.run
        assert run is not None
        self.attempt(**{"rollback" if rolls_back else "run": run.model_copy(update=fields)})

    def round(self) -> None:
        passed = self.one_of(True, False, None)
        measured = self.probe_history or ProbeHistory(self.now)
        self.probe_history = measured.add(ProbeRound(self.now, {"answers": Sample(passed, "", "")}))

    def restored(self) -> None:
        """Record that the fields are restored, so that the rollout is waited for, or are not."""
        verdict = self.one_of(None, None, ProbeVerdict.FAILED)
        self.attempt(rollback_verification=window(verdict, start=self.now))
        self.probe_history = None

    def settling_round(self) -> None:
        opened = self.current.status.attempts[-1].rollback_verification
        assert opened is not None
        over = opened.start_time + timedelta(seconds=ROLLBACK_SECONDS)
        assert self.now < over or self.probe_history is None, "it waits without an end"
        measured = self.probe_history or ProbeHistory(self.now)
        sample = Sample(self.one_of(True, False, None), "", "")
        worse = self.one_of("", "", "0 of 1 pods are available, 1 before the run")
        unsettled = self.one_of("", "1 pod is still terminating")
        self.probe_history = measured.add(
            ProbeRound(
                self.now, {"answers": sample}, unsettled=unsettled or worse, target_worse=worse
            )
        )

    def pod(self) -> None:
        """Let the pod of the run get a little further."""
        if self.alive.job is not JobState.ACTIVE:
            return
        before = self.alive.claimed
        self.alive = self.one_of(
            self.alive,
            replace(self.alive, claimed=True),
            ObservedRun(JobState.COMPLETE, True, Reason.RUN_SUCCEEDED),
            ObservedRun(JobState.FAILED, True, Reason.RUN_FAILED),
            replace(self.alive, job=JobState.FAILED),
            replace(self.alive, job=JobState.OVERDUE),
        )
        if self.alive.claimed and not before:
            last = self.current.status.attempts[-1]
            self.claims[last.rollback.name if last.rollback else last.run.name] += 1  # type: ignore[union-attr]


def held_seconds(world: World) -> int:
    return ceil(time_on_hold(world.current.status, world.now).total_seconds())


def dry_run(world: World) -> Plan:
    number = world.current.status.attempts[-1].number
    name = run_name(world.current.metadata.uid, number)
    return Plan(name=name, namespace=RELEASE, created_time=world.now)


def other_text() -> ArtifactReference:
    return text().model_copy(update={"digest": "sha256:" + "d" * 64})


def named(world: World, rollback: bool) -> Run:
    number = world.current.status.attempts[-1].number
    name = run_name(world.current.metadata.uid, number, is_rollback=rollback)
    world.alive = ObservedRun()
    return Run(name=name, namespace=RELEASE, created_time=world.now)


def carry_out(world: World, decision: d.Decision) -> None:  # noqa: C901 - one per kind
    """Do what the step would do, as far as the record shows it; a crash may come in between."""
    match decision:
        case d.Begin():
            world.status(start_time=world.now)
        case d.ProbeBaseline() | d.Verify():
            world.round()
        case d.ConcludeBaseline(verdict):
            world.status(baseline=window(verdict.verdict, start=world.now))
            world.probe_history = None
        case d.OpenAttempt(number):
            fresh = Attempt(number=number, start_time=world.now)
            world.status(attempts=[*world.current.status.attempts, fresh])
            world.model_failures = ModelFailures()
        case d.ChooseRound(number):
            last = world.current.status.attempts[-1]
            assert [r.number for r in last.investigation] == list(range(1, number)), "a lost round"
            made = world.one_of(*[Choice.INSPECT] * 6, Choice.ACT, Choice.ABSTAIN)
            fresh_round = InvestigationRound(
                number=number,
                start_time=world.now,
                completion_time=None if made is Choice.INSPECT else world.now,
                choice=made,
                view=text(),
            )
            if world.one_of(True, True, False):  # or a crash before that could be recorded
                world.attempt(investigation=[*last.investigation, fresh_round])
        case d.RunRound(number):
            last = world.current.status.attempts[-1]
            *before, chosen = last.investigation
            assert chosen.number == number
            assert chosen.results is None, "a round is recorded twice"
            done_round = {"completion_time": world.now, "results": text()}
            if world.one_of(True, True, False):
                world.attempt(investigation=[*before, chosen.model_copy(update=done_round)])
        case d.Generate():
            one = world.one_of("playbook", "playbook", "abstain", "nonsense", "away")
            if one == "away":
                count = world.model_failures.count + 1
                world.model_failures = ModelFailures(count, exhausted=count >= 4)
            elif one == "nonsense":
                world.attempt(rejection=Rejection(rule="ModelReplyInvalid", message="no"))
            else:
                world.attempt(
                    generation=Generation(abstention_reason="no" if one == "abstain" else "")
                )
        case d.Validate():
            if world.one_of(True, True, False):
                world.attempt(playbook=text(), plan=dry_run(world))
            else:
                world.attempt(rejection=Rejection(rule="Bounds", message="no"))
        case d.RenewPlan():
            last = world.current.status.attempts[-1]
            assert last.plan is not None
            assert last.plan.cleaned_up, "rights of two dry runs at once"
            world.attempt(plan=dry_run(world).model_copy(update={"digest": last.plan.digest}))
        case d.RunDryRun():
            last = world.current.status.attempts[-1]
            assert last.plan is not None
            if world.one_of(True, True, True, False):
                digest = world.one_of(PLAN_DIGEST, PLAN_DIGEST, DIGEST)
                done = {"completion_time": world.now, "digest": digest}
                world.attempt(plan=last.plan.model_copy(update=done))
            else:
                world.attempt(rejection=Rejection(rule="DryRunRefused", message="no"))
        case d.RecordApproval():
            approval, last = world.current.spec.approval, world.current.status.attempts[-1]
            assert approval is not None
            record = ApprovalRecord(
                decision=approval.decision,
                username=approval.username,
                decision_time=world.now,
                playbook_digest=approval.playbook_digest,
                plan_digest=approval.plan_digest,
                reason=approval.reason,
                edited_playbook=text() if approval.edited_playbook else None,
            )
            world.attempt(approvals=[*last.approvals, record])
        case d.ApplyEdit():
            last = world.current.status.attempts[-1]
            assert last.plan is not None
            assert last.plan.cleaned_up
            if world.one_of(True, False):
                world.attempt(playbook=other_text(), plan=dry_run(world))
            else:
                *earlier, record = last.approvals
                refused = record.model_copy(update={"refusal_message": "no"})
                world.attempt(approvals=[*earlier, refused])
        case d.BeginHold(why):
            last = world.current.status.attempts[-1]
            assert world.current.status.hold is None
            assert last.run is None
            assert last.plan is None or last.plan.cleaned_up, "rights while it is on hold"
            world.status(hold=Hold(reason=why, start_time=world.now))
        case d.EndHold():
            if world.one_of(True, True, False):  # or somebody else has the target again
                world.status(hold=None, held_seconds=held_seconds(world))
        case d.Capture():
            assert world.current.status.hold is None, "a run while it is on hold"
            policy, start = world.current.spec.policy.spec, world.current.status.start_time
            assert start is not None
            assert world.now >= start + timedelta(seconds=policy.evidence.min_persistence_seconds)
            world.attempt(capture=text(), run=named(world, rollback=False))
        case d.CreateRun(kind):
            last = world.current.status.attempts[-1]
            run = last.rollback if kind is d.RunKind.ROLLBACK else last.run
            assert run is not None
            assert run.name not in world.recorded
            if world.alive.job is JobState.ABSENT:
                # Its Job may have been there and gone unrecorded; a claim would still be seen.
                assert not world.alive.claimed
                world.alive = ObservedRun(JobState.ACTIVE)
            if world.one_of(True, False):  # or a crash before that could be recorded
                world.run(kind, uid="uid")
                world.recorded.add(run.name)
        case d.RecordRun(reason, message, kind) | d.StopRun(reason, message, kind):
            stopped = isinstance(decision, d.StopRun) and not world.alive.claimed
            ended = Reason.RUN_NOT_STARTED if stopped else reason
            world.run(kind, reason=ended, message=message)
        case d.CleanUp(number, d.RunKind.DRY_RUN):
            last = world.current.status.attempts[-1]
            assert last.number == number
            assert last.plan is not None
            world.attempt(plan=last.plan.model_copy(update={"cleaned_up": True}))
        case d.CleanUp(number, kind):
            last = world.current.status.attempts[-1]
            assert last.number == number
            world.run(kind, cleaned_up=True)
            world.alive = ObservedRun()
        case d.BeginVerification():
            world.attempt(verification=window(None, start=world.now))
            world.probe_history = None
        case d.ConcludeVerification(verdict):
            failed = verdict.verdict is ProbeVerdict.FAILED
            fields = {"reason": Reason.PROBES_FAILED} if failed else {}
            world.attempt(verification=window(verdict.verdict), **fields)
            world.probe_history = None
        case d.AbortAttempt(reason, message):
            world.attempt(reason=reason, message=message)
        case d.PlanRollback():
            if world.one_of(True, False):
                world.attempt(rollback=named(world, rollback=True))
            else:
                world.restored()
        case d.VerifyRollback():
            world.restored()
        case d.SettleRollback():
            world.settling_round()
        case d.ConcludeRollback(verdict):
            opened = world.current.status.attempts[-1].rollback_verification
            assert opened is not None
            assert opened.completion_time is None, "a rollback is concluded twice"
            world.attempt(rollback_verification=window(verdict.verdict, start=opened.start_time))
            world.probe_history = None
        case d.CloseAttempt(outcome, reason, message):
            world.attempt(
                outcome=outcome, reason=reason, message=message, completion_time=world.now
            )
            world.status(hold=None, held_seconds=held_seconds(world))
        case d.Finish(outcome, reason, message):
            world.status(outcome=outcome, reason=reason, message=message)
        case d.Wait(until):
            world.now = max(until, world.now + timedelta(milliseconds=1))
            world.pod()
        case _:
            raise AssertionError(f"nothing to carry out: {decision}")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_every_history_ends_honestly_and_runs_nothing_twice(data: st.DataObject) -> None:
    world = World(
        data.draw,
        remediation(
            baseline=None,
            started=False,
            mode=data.draw(st.sampled_from(["Auto", "Approve", "Observe"])),
            method=data.draw(st.sampled_from(["SoloGen", "ThinkRemed"])),
            approval_timeout_seconds=60,
            hold_timeout_seconds=90,
            max_attempts=data.draw(st.integers(1, 3)),
            rollback={
                "enabled": data.draw(st.booleans()),
                "timeout_seconds": ROLLBACK_SECONDS,
            },
            verification={"window_seconds": 2, "timeout_seconds": 5},
            evidence={"min_persistence_seconds": data.draw(st.sampled_from([0, 0, 30]))},
        ),
    )
    for _ in range(MOST_TURNS):
        decision = decide(world.observe(), world.now)
        world.trail.append(type(decision).__name__)
        if isinstance(decision, d.Done):
            break
        carry_out(world, decision)
        world.now += timedelta(milliseconds=50)
        world.disturb()
    status = world.current.status
    assert status.outcome is not None, world.trail
    assert decide(world.observe(), later(10**6)) == d.Done()
    assert all(count == 1 for count in world.claims.values()), world.claims
    _is_honest(world.current)


def _is_honest(result: Remediation) -> None:
    status = result.status
    assert all(a.outcome is not None for a in status.attempts)
    assert [a.number for a in status.attempts] == list(range(1, len(status.attempts) + 1))
    assert len(status.attempts) <= result.spec.policy.spec.max_attempts
    for attempt in status.attempts:
        for run in (attempt.run, attempt.rollback):
            assert run is None or (run.reason is not None and run.cleaned_up)
        if attempt.run is None:
            assert attempt.plan is None or attempt.plan.cleaned_up
        elif result.spec.policy.spec.mode is Mode.APPROVE:
            assert attempt.plan is not None
            assert attempt.approvals[-1].decision is ApprovalDecision.APPROVE
            assert attempt.approvals[-1].plan_digest == attempt.plan.digest
        assert attempt.run is None or result.spec.policy.spec.mode is not Mode.OBSERVE
        wrote = attempt.run is not None and attempt.run.reason not in (
            Reason.RUN_NOT_STARTED,
            Reason.PLAYBOOK_REJECTED,
        )
        if attempt.outcome in (Outcome.REJECTED, Outcome.ABSTAINED, Outcome.OBSERVED):
            assert not wrote
        if attempt.outcome is Outcome.ROLLED_BACK and wrote:
            assert attempt.rollback_verification is not None
            assert attempt.rollback_verification.verdict is ProbeVerdict.PASSED
        if attempt.outcome is Outcome.VERIFIED:
            assert attempt.run is not None
            assert attempt.run.reason is Reason.RUN_SUCCEEDED
            assert attempt.verification is not None
            assert attempt.verification.verdict is ProbeVerdict.PASSED
            assert status.baseline is not None
            assert status.baseline.verdict is ProbeVerdict.FAILED
    if status.outcome is Outcome.VERIFIED:
        assert status.attempts[-1].outcome is Outcome.VERIFIED
    if any(a.outcome is Outcome.ROLLBACK_FAILED for a in status.attempts):
        assert status.outcome is Outcome.ROLLBACK_FAILED
