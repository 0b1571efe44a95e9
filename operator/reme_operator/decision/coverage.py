"""What passing probes prove: nothing about a fault that they cannot see. Pure.

Probes that the report or the policy gives prove that the target is healthy, as far as the report
names no other request that fails. Derived ones are a guess: when they pass, the fault may be where
they do not look. Then the target is never called healthy: the model is asked when the report gives
it something to go by, and otherwise the remediation ends and says what could not be seen.
"""

from reme_api.diagnosis_report import Severity
from reme_api.probe_coverage import ProbeSource
from reme_api.probes import ProbeVerdict
from reme_api.remediation import Remediation
from reme_operator.decision.observed import Observed

_SURE_PERCENT = 50
"""A diagnosis of this confidence is one to ask the model about, also without evidence."""
_CERTAIN_PERCENT = 90
"""A critical report of this confidence is not called wrong by probes that pass."""
_SEVERE = frozenset({Severity.HIGH, Severity.CRITICAL})
ASK_FOR_PROBE = "add a probe to the report that fails now (spec.probes)"


def unseen(remediation: Remediation) -> str:
    """Return what the probes cannot see, as a part of a sentence; empty when they see the fault."""
    coverage, fault = remediation.spec.coverage, remediation.spec.fault
    if coverage.uncovered:
        return f"no probe sends what the report says fails: {', '.join(coverage.uncovered)}"
    if coverage.source is ProbeSource.DERIVED:
        return (
            "neither the report nor the policy has probes, and those that reme derived do not show"
            " every fault"
        )
    if _is_certain(remediation):
        return f"the report is critical and {fault.confidence_percent} % certain of a fault"
    return ""


def proves_health(remediation: Remediation) -> bool:
    """Return whether the target is healthy when all probes pass.

    Derived probes that have seen the fault see its end, too.
    """
    if not unseen(remediation):
        return True
    baseline, coverage = remediation.status.baseline, remediation.spec.coverage
    has_failed = baseline is not None and baseline.verdict is not ProbeVerdict.UNKNOWN
    return has_failed and not coverage.uncovered


def may_ask_model(observed: Observed) -> bool:
    """Return whether the model is asked about a fault that no probe has seen.

    Not about a report that says no more than that something is wrong; nor where probes that its
    author chose contradict it.
    """
    spec = observed.remediation.spec
    coverage, fault = spec.coverage, spec.fault
    if observed.policy.evidence.require_probe_failure:
        return False
    if coverage.source is not ProbeSource.DERIVED and not coverage.uncovered:
        baseline = observed.remediation.status.baseline
        return baseline is None or not all(probe.passed for probe in baseline.probes)
    is_sure = (fault.confidence_percent or 0) >= _SURE_PERCENT
    return coverage.evidence_items > 0 or is_sure or fault.severity in _SEVERE


def _is_certain(remediation: Remediation) -> bool:
    fault = remediation.spec.fault
    return (
        fault.severity is Severity.CRITICAL and (fault.confidence_percent or 0) >= _CERTAIN_PERCENT
    )
