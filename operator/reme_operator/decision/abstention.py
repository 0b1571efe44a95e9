"""Reasons for doing nothing: why, and what the probes measured. Pure."""

from reme_api.probes import ProbeResult, ProbeVerdict
from reme_api.reasons import Reason
from reme_api.remediation import Remediation
from reme_model.prompt.schema import Abstain
from reme_operator.decision.coverage import ASK_FOR_PROBE, unseen

_REASONS: dict[str, tuple[Reason, str]] = {
    Abstain.HEALTHY: (
        Reason.DIAGNOSIS_CONTRADICTED,
        "the model found the target healthy, against the report",
    ),
    Abstain.ELSEWHERE: (Reason.FAULT_ELSEWHERE, "the model found the fault in another workload"),
    Abstain.NO_ACTION: (
        Reason.NO_ACTION_HELPS,
        "the model found no allowed action that would help",
    ),
    Abstain.UNCLEAR: (Reason.TOO_LITTLE_EVIDENCE, "the model could not tell what is wrong"),
}
"""The reasons that the model may give; any other text is counted as ModelAbstained."""


def abstention_reason(remediation: Remediation, reply: str) -> tuple[Reason, str]:
    """Return why the model abstained, and what the probes measured."""
    reason, message = _REASONS.get(reply, (Reason.MODEL_ABSTAINED, "the model abstained"))
    if reply == Abstain.HEALTHY and not _has_failed(remediation) and (gap := unseen(remediation)):
        reason = Reason.TOO_LITTLE_EVIDENCE
        message = f"the model saw nothing wrong, and no probe failed; but {gap}; {ASK_FOR_PROBE}"
    return reason, f"{message}{probe_summary(remediation)}"


def no_action_reason(
    remediation: Remediation, message: str, reason: Reason = Reason.NO_ACTION_HELPS
) -> tuple[Reason, str]:
    """Return that no allowed action would help, or that the fault is elsewhere."""
    return reason, f"{message}{probe_summary(remediation)}"


def unmeasured_fault_reason(remediation: Remediation) -> tuple[Reason, str]:
    """Return that no probe failed, where that is required, and what the probes cannot see."""
    required = remediation.spec.policy.spec.evidence.require_probe_failure
    message = "no probe failed" + (", and the policy requires it" if required else "")
    if gap := unseen(remediation):
        fault = remediation.spec.fault.type
        message += f"; but {gap}, so the fault {fault} could not be seen; {ASK_FOR_PROBE}"
    return Reason.TOO_LITTLE_EVIDENCE, f"{message}{probe_summary(remediation)}"


def _has_failed(remediation: Remediation) -> bool:
    baseline = remediation.status.baseline
    return baseline is not None and baseline.verdict is ProbeVerdict.FAILED


def probe_summary(remediation: Remediation) -> str:
    """Return what the baseline measured, as the end of a sentence; empty when nothing was."""
    baseline = remediation.status.baseline
    probes = baseline.probes[:4] if baseline else []
    parts = [text for probe in probes if (text := _counts(probe))]
    return f"; measured: {', '.join(parts)}" if parts else ""


def _counts(probe: ProbeResult) -> str:
    total = probe.passed + probe.failed + probe.errors
    if not total:
        return ""
    parts = [f"probe {probe.name} passed {probe.passed} of {total}"]
    if probe.value:
        parts.append(f"last {probe.value[:60]}")
    if probe.message:
        parts.append(probe.message[:100])
    return ", ".join(parts)
