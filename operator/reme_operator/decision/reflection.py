"""What attempts that did not help have shown: what was tried, and what that rules out. Pure."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from reme_api.actions import ActionName
from reme_api.probes import ProbeVerdict
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Attempt, Remediation
from reme_operator.decision.decisions import Finish

_CAUSES: Mapping[ActionName, str] = MappingProxyType(
    {
        ActionName.ROLLBACK: "the change since that revision",
        ActionName.SCALE: "the number of pods",
        ActionName.SET_AUTOSCALING: "the number of pods",
        ActionName.RESTART: "the state of the running pods",
        ActionName.DELETE_POD: "the state of one pod",
        ActionName.SET_RESOURCES: "these amounts of cpu and memory",
        ActionName.SET_IMAGE: "the image",
    }
)
"""The cause that an action would have removed; of the others it is what they set."""


_WITHOUT_HELP = {Outcome.ROLLED_BACK, Outcome.ABSTAINED, Outcome.REJECTED, Outcome.FAILED}


def ruled_out(attempt: Attempt) -> str:
    """Return what cannot be the only cause, because its removal was measured and did not help.

    Empty if the run did not do it, or a probe that failed at the end had passed in between.
    """
    window, run = attempt.verification, attempt.run
    if run is None or run.reason is not Reason.RUN_SUCCEEDED or window is None:
        return ""
    failing = [probe for probe in window.probes if probe.verdict is ProbeVerdict.FAILED]
    if window.verdict is not ProbeVerdict.FAILED or not failing or any(p.passed for p in failing):
        return ""
    names = (action.name for action in attempt.actions)
    causes = dict.fromkeys(_CAUSES.get(name, f"what {name} sets") for name in names)
    return " and ".join(causes)


def finish_without_help(remediation: Remediation, last: Attempt, *, exhausted: bool) -> Finish:
    """Return the end of a remediation like its last attempt, with what the others have shown.

    `exhausted` says that the policy allows no further attempt. What ran was rolled back: then that
    is the outcome, also if the last attempt only found nothing left to do.
    """
    attempts = remediation.status.attempts
    if last.outcome not in _WITHOUT_HELP:
        return Finish(
            last.outcome or Outcome.FAILED, last.reason or Reason.INTERNAL_ERROR, last.message
        )
    ran = any(attempt.outcome is Outcome.ROLLED_BACK for attempt in attempts)
    outcome = last.outcome
    if ran and outcome in (Outcome.ABSTAINED, Outcome.REJECTED):
        outcome = Outcome.ROLLED_BACK
    reason = last.reason or Reason.INTERNAL_ERROR
    if exhausted and ran and last.number > 1:
        reason = Reason.ATTEMPTS_EXHAUSTED
    message = last.message
    if exhausted and last.number > 1:
        message = f"none of {last.number} attempts helped; the last one: {message}"
    return Finish(outcome, reason, f"{message}{_lessons(attempts)}")


def _lessons(attempts: Iterable[Attempt]) -> str:
    """Return what was tried and what that rules out, as the end of a sentence."""
    ran = [attempt for attempt in attempts if attempt.run is not None]
    summaries = [action.summary for attempt in ran for action in attempt.actions]
    causes = list(dict.fromkeys(text for attempt in ran if (text := ruled_out(attempt))))
    parts = []
    if summaries:
        parts.append(f"; tried: {', '.join(text[:160] for text in summaries)}")
    if causes:
        parts.append(f"; ruled out as the only cause: {', '.join(causes)}")
    return "".join(parts)
