"""The state of the target and its neighbours before the run: probed, and probed again when old.

A repair is compared with how things were when it started. While a plan waits for a person the
fault goes on: neighbours that it has reached meanwhile are not the repair's doing, and a target
that has recovered needs no repair. The same holds while a fault is given time to pass. Pure.
"""

from datetime import datetime, timedelta

from reme_api.policy import Mode
from reme_api.probes import ProbeVerdict
from reme_api.remediation import Attempt
from reme_operator.decision.coverage import proves_health, unseen
from reme_operator.decision.decisions import ConcludeBaseline, Decision, ProbeBaseline, Wait
from reme_operator.decision.observed import Observed, has_run
from reme_operator.decision.probe_verdict import WindowVerdict, baseline_verdict

BASELINE_TTL = timedelta(minutes=5)
"""How old a baseline may be when the run starts: a model on two cores needs a minute or two."""


def decide_baseline(observed: Observed, now: datetime) -> Decision:
    """Return the next round of probes, or the conclusion."""
    verification, history = observed.policy.verification, observed.probe_history
    again = observed.remediation.status.baseline is not None
    if history is None:
        return ProbeBaseline(again)
    if verdict := baseline_verdict(history, verification.baseline_samples):
        return ConcludeBaseline(_as_far_as_seen(verdict, observed), again)
    due = (history.last_at or now) + timedelta(seconds=verification.period_seconds)
    return ProbeBaseline(again) if now >= due else Wait(due)


def _as_far_as_seen(verdict: WindowVerdict, observed: Observed) -> WindowVerdict:
    """Return Unknown for probes that all passed and do not prove that the target is healthy."""
    remediation = observed.remediation
    if verdict.verdict is not ProbeVerdict.PASSED or proves_health(remediation):
        return verdict
    return WindowVerdict(ProbeVerdict.UNKNOWN, f"{verdict.message}, but {unseen(remediation)}")


def baseline_is_stale(observed: Observed, attempt: Attempt, now: datetime) -> bool:
    """Return whether the baseline is too old, or missing, to start a run."""
    baseline = observed.remediation.status.baseline
    if baseline is None or baseline.completion_time is None:
        return True
    if now - baseline.completion_time >= BASELINE_TTL:
        return True
    if observed.policy.mode is Mode.APPROVE and attempt.approvals:
        return baseline.completion_time < attempt.approvals[-1].decision_time
    return False


def persistence_end(observed: Observed) -> datetime | None:
    """Return when a fault that is still there counts as one that does not pass by itself.

    None where that is not required: in mode Observe nothing is changed, and what follows a run has
    the verification of that run. An attempt without a run proves nothing.
    """
    policy, start = observed.policy, observed.remediation.status.start_time
    seconds = policy.evidence.min_persistence_seconds
    if not seconds or start is None or policy.mode is Mode.OBSERVE:
        return None
    return None if has_run(observed.remediation) else start + timedelta(seconds=seconds)


def baseline_completed_since(observed: Observed, moment: datetime) -> bool:
    """Return whether the baseline was completed at that moment or later."""
    baseline = observed.remediation.status.baseline
    return (
        baseline is not None
        and baseline.completion_time is not None
        and baseline.completion_time >= moment
    )
