"""Which policy a report falls under: pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from reme_api.diagnosis_report import DiagnosisReport
from reme_api.policy import RemediationPolicy, TargetRule
from reme_api.reasons import Reason


class Unfit(NamedTuple):
    """Why no policy applies."""

    reason: Reason
    message: str


class Rank(NamedTuple):
    """How narrowly a policy matches; the narrower one wins."""

    names: bool
    labels: bool
    kinds: bool
    faults: bool


def choose(
    report: DiagnosisReport,
    labels: Mapping[str, str],
    policies: Sequence[RemediationPolicy],
    release_namespace: str,
) -> RemediationPolicy | Unfit:
    """Return the policy for a report about a target with these labels.

    A policy of the report's own namespace goes before one of the release namespace, however narrow
    that one is: who owns a namespace knows it best, and may want less than the whole cluster does.
    """
    namespace = report.metadata.namespace
    own = [p for p in policies if p.metadata.namespace == namespace]
    if report.spec.policy_ref is not None:
        return _named(report, labels, own)
    shared = [p for p in policies if p.metadata.namespace == release_namespace]
    for candidates in (own, shared):
        ranked = [(r, p) for p in candidates if (r := rank(p, report, labels)) is not None]
        if not ranked:
            continue
        best = max(r for r, _ in ranked)
        winners = [p for r, p in ranked if r == best]
        if len(winners) > 1:
            names = ", ".join(sorted(p.metadata.name for p in winners))
            return Unfit(
                Reason.POLICY_CONFLICT,
                f"equally specific: {names}; narrow one, or name one in spec.policyRef",
            )
        return winners[0]
    return Unfit(
        Reason.NO_POLICY_MATCHES,
        f"no RemediationPolicy in {namespace} or {release_namespace} covers "
        f"{report.spec.target.kind} {report.spec.target.name} with fault {report.spec.fault.type}",
    )


def _named(
    report: DiagnosisReport, labels: Mapping[str, str], own: Sequence[RemediationPolicy]
) -> RemediationPolicy | Unfit:
    assert report.spec.policy_ref is not None, "only called for a report that names a policy"
    name = report.spec.policy_ref.name
    found = next((p for p in own if p.metadata.name == name), None)
    if found is None:
        return Unfit(
            Reason.POLICY_NOT_FOUND,
            f"no RemediationPolicy {name} in namespace {report.metadata.namespace}",
        )
    if rank(found, report, labels) is None:
        return Unfit(
            Reason.NO_POLICY_MATCHES,
            f"policy {name} does not cover {report.spec.target.kind} {report.spec.target.name} "
            f"with fault {report.spec.fault.type}",
        )
    return found


def rank(
    policy: RemediationPolicy, report: DiagnosisReport, labels: Mapping[str, str]
) -> Rank | None:
    """Return how narrowly the policy matches, or nothing when it does not."""
    spec = policy.spec
    if spec.faults and report.spec.fault.type not in spec.faults:
        return None
    faults = bool(spec.faults)
    if not spec.targets:
        return Rank(names=False, labels=False, kinds=False, faults=faults)
    ranks = [
        Rank(bool(rule.names), bool(rule.match_labels), bool(rule.kinds), faults)
        for rule in spec.targets
        if _matches(rule, report, labels)
    ]
    return max(ranks, default=None)


def _matches(rule: TargetRule, report: DiagnosisReport, labels: Mapping[str, str]) -> bool:
    target = report.spec.target
    if rule.kinds and target.kind not in rule.kinds:
        return False
    if rule.names and target.name not in rule.names:
        return False
    return all(labels.get(key) == value for key, value in rule.match_labels.items())
