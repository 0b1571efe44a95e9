"""When the right answer is to do nothing: why, and what was seen, in words for the record: pure."""

from reme_api.probes import ProbeResult
from reme_api.reasons import Reason
from reme_model.prompt.schema import Abstain
from reme_operator.decision.observed import Observed

_REASONS: dict[str, tuple[Reason, str]] = {
    Abstain.HEALTHY: (Reason.DIAGNOSIS_CONTRADICTED, "what is seen is not what was reported"),
    Abstain.ELSEWHERE: (Reason.FAULT_ELSEWHERE, "the fault is not in this workload"),
    Abstain.NO_ACTION: (Reason.NO_ACTION_HELPS, "nothing that is possible and allowed would help"),
    Abstain.UNCLEAR: (Reason.TOO_LITTLE_EVIDENCE, "it cannot be told what is wrong"),
}
"""What the model may say; any other words of it are counted as one reason."""


def abstention_reason(seen: Observed, word: str) -> tuple[Reason, str]:
    """Return why the model would rather do nothing, and what the probes had seen."""
    other = Reason.MODEL_ABSTAINED, "the model would rather do nothing"
    reason, why = _REASONS.get(word, other)
    return reason, f"{why}{measured(seen)}"


def no_action_reason(seen: Observed, why: str) -> tuple[Reason, str]:
    """Return that no action is left that would change anything."""
    return Reason.NO_ACTION_HELPS, f"{why}{measured(seen)}"


def unmeasured_fault_reason(seen: Observed) -> tuple[Reason, str]:
    """Return that the fault was not seen, under a policy that asks for that."""
    return (
        Reason.TOO_LITTLE_EVIDENCE,
        f"the policy acts only on a fault that the probes have seen{measured(seen)}",
    )


def has_run(seen: Observed) -> bool:
    """Return whether an attempt has had a run."""
    return any(attempt.run is not None for attempt in seen.remediation.status.attempts)


def measured(seen: Observed) -> str:
    """Return what the baseline measured, to be put behind a sentence."""
    baseline = seen.remediation.status.baseline
    probes = baseline.probes[:4] if baseline else []
    said = [text for probe in probes if (text := _counted(probe))]
    return f"; seen: {', '.join(said)}" if said else ""


def _counted(probe: ProbeResult) -> str:
    total = probe.passed + probe.failed + probe.errors
    if not total:
        return ""
    parts = [f"probe {probe.name} passed {probe.passed} of {total}"]
    if probe.value:
        parts.append(f"last {probe.value[:60]}")
    if probe.message:
        parts.append(probe.message[:100])
    return ", ".join(parts)
