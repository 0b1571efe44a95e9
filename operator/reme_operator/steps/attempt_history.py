"""What earlier attempts did, and what the probes measured last."""

from collections.abc import Sequence

from reme_api.probes import ProbeResult, ProbeWindow
from reme_api.reasons import Outcome
from reme_api.remediation import Attempt
from reme_model.prompt.context import AttemptSummary
from reme_operator.decision.reflection import ruled_out


def summaries(attempts: Sequence[Attempt]) -> list[AttemptSummary]:
    """Return what the prompt says of earlier attempts."""
    return [
        AttemptSummary(
            number=attempt.number,
            actions=tuple(action.summary for action in attempt.actions),
            result=_result(attempt),
            message=attempt.message,
            ruled_out=ruled_out(attempt),
        )
        for attempt in attempts
    ]


def latest_probes(
    baseline: ProbeWindow | None, earlier: Sequence[Attempt]
) -> Sequence[ProbeResult]:
    """Return the latest probe results: after the attempt before, or before all of them.

    After a rollback the probes measure the target as it is now; before it they measured the try.
    """
    windows = [
        *(w for a in reversed(earlier) for w in (a.rollback_verification, a.verification)),
        baseline,
    ]
    return next((window.probes for window in windows if window and window.probes), ())


def _result(attempt: Attempt) -> str:
    # These words are a part of the prompt: the model was trained on them.
    if attempt.rejection is not None:
        return f"rejected: {attempt.rejection.rule}"
    suffixes = {Outcome.ROLLED_BACK: ", undone", Outcome.FAILED: ", not undone"}
    suffix = suffixes.get(attempt.outcome, "") if attempt.outcome else ""
    return f"{attempt.reason or attempt.outcome or ''}{suffix}"
