"""Which policy a report falls under. Pure.

A policy of the report's own namespace goes before one of the release namespace, however narrow
that one is. Then the narrower one wins: by name, by name with wildcards, by labels, by kinds, by
namespaces, by faults. Two that are equally narrow are a conflict, and none of them is used.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from reme_api.diagnosis_report import DiagnosisReport
from reme_api.policy import RemediationPolicy, TargetRule
from reme_api.reasons import Reason
from reme_operator.admission.policy_validation import UnreadablePolicy
from reme_playbook.policy.policy_rules import matches


class NoPolicyChosen(NamedTuple):
    """Why no policy applies."""

    reason: Reason
    message: str


class Rank(NamedTuple):
    """How narrowly a policy matches; the highest wins. 2: exact, 1: with wildcards, 0: any."""

    names: int
    labels: bool
    kinds: bool
    namespaces: int
    faults: bool

    def text(self) -> str:
        """Return what the policy matches by."""
        suffix = {1: " with wildcards", 2: ""}
        parts = [f"name{suffix[self.names]}"] if self.names else []
        parts += ["labels"] * self.labels + ["kind"] * self.kinds
        parts += [f"namespace{suffix[self.namespaces]}"] if self.namespaces else []
        parts += ["fault"] * self.faults
        return ", ".join(parts) or "everything"


class PolicyMatch(NamedTuple):
    """One policy: how narrowly it matches, or why it does not."""

    policy: RemediationPolicy
    rank: Rank | None
    mismatch: str


def select_policy(
    report: DiagnosisReport,
    labels: Mapping[str, str],
    policies: Sequence[RemediationPolicy],
    release_namespace: str,
    unreadable: Sequence[UnreadablePolicy] = (),
) -> RemediationPolicy | NoPolicyChosen:
    """Return the policy for a report about a target with these labels.

    The owner of a namespace knows it best, and may allow less than the whole cluster: so its own
    policies go first. An unreadable policy may have been the narrowest one: while there is one, no
    policy of its namespace is selected.
    """
    namespace = report.metadata.namespace
    if report.spec.policy_ref is not None:
        in_namespace = [p for p in policies if p.metadata.namespace == namespace]
        return _referenced(report, labels, report.spec.policy_ref.name, in_namespace, unreadable)
    for place in dict.fromkeys((namespace, release_namespace)):
        for broken in unreadable:
            if broken.namespace == place:
                return _unreadable(broken)
        in_place = [p for p in policies if p.metadata.namespace == place]
        ranked = [(r, p) for p in in_place if (r := rank(p, report, labels)) is not None]
        if ranked:
            return _narrowest(ranked)
    return NoPolicyChosen(
        Reason.NO_POLICY_MATCHES,
        f"no RemediationPolicy in {namespace} or {release_namespace} covers {_subject(report)}",
    )


def _narrowest(
    ranked: Sequence[tuple[Rank, RemediationPolicy]],
) -> RemediationPolicy | NoPolicyChosen:
    highest = max(rank for rank, _ in ranked)
    narrowest = [policy for rank, policy in ranked if rank == highest]
    if len(narrowest) == 1:
        return narrowest[0]
    names = ", ".join(sorted(policy.metadata.name for policy in narrowest))
    return NoPolicyChosen(
        Reason.POLICY_CONFLICT,
        f"equally specific, by {highest.text()}: {names}; narrow one, or name one in "
        "spec.policyRef",
    )


def rank_policies(
    report: DiagnosisReport,
    labels: Mapping[str, str],
    policies: Sequence[RemediationPolicy],
    release_namespace: str,
) -> list[PolicyMatch]:
    """Return every policy of the two namespaces with its match, the one that goes first first."""
    namespace = report.metadata.namespace
    matches_found = [
        PolicyMatch(policy, rank(policy, report, labels), mismatch(policy, report, labels))
        for policy in policies
        if policy.metadata.namespace in (namespace, release_namespace)
    ]
    no_rank = Rank(0, False, False, 0, False)
    return sorted(
        matches_found,
        key=lambda m: (
            m.rank is not None,
            m.policy.metadata.namespace == namespace,
            m.rank or no_rank,
            m.policy.metadata.name,
        ),
        reverse=True,
    )


def _referenced(
    report: DiagnosisReport,
    labels: Mapping[str, str],
    name: str,
    policies: Sequence[RemediationPolicy],
    unreadable: Sequence[UnreadablePolicy],
) -> RemediationPolicy | NoPolicyChosen:
    namespace = report.metadata.namespace
    policy = next((p for p in policies if p.metadata.name == name), None)
    if policy is None:
        for broken in unreadable:
            if (broken.namespace, broken.name) == (namespace, name):
                return _unreadable(broken)
        return NoPolicyChosen(
            Reason.POLICY_NOT_FOUND, f"no RemediationPolicy {name} in namespace {namespace}"
        )
    if reason := mismatch(policy, report, labels):
        return NoPolicyChosen(
            Reason.NO_POLICY_MATCHES,
            f"policy {name} does not cover {_subject(report)}: {reason}",
        )
    return policy


def _unreadable(policy: UnreadablePolicy) -> NoPolicyChosen:
    return NoPolicyChosen(
        Reason.POLICY_INVALID,
        f"policy {policy.namespace}/{policy.name} cannot be read: {policy.problem}",
    )


def _subject(report: DiagnosisReport) -> str:
    target = report.spec.target
    return f"{target.kind} {target.name} with fault {report.spec.fault.type}"


def rank(
    policy: RemediationPolicy, report: DiagnosisReport, labels: Mapping[str, str]
) -> Rank | None:
    """Return how narrowly the policy matches, or nothing when it does not."""
    if mismatch(policy, report, labels):
        return None
    spec, name = policy.spec, report.spec.target.name
    namespaces = _precision(report.metadata.namespace, spec.namespaces)
    faults = bool(spec.faults)
    ranks = [
        Rank(
            _precision(name, rule.names),
            bool(rule.match_labels),
            bool(rule.kinds),
            namespaces,
            faults,
        )
        for rule in spec.targets
        if not _target_mismatch(rule, report, labels)
    ]
    return max(ranks, default=Rank(0, False, False, namespaces, faults))


def _precision(name: str, patterns: Sequence[str]) -> int:
    if not patterns:
        return 0
    return 2 if name in patterns else 1


def mismatch(policy: RemediationPolicy, report: DiagnosisReport, labels: Mapping[str, str]) -> str:
    """Return why the policy is not about the report; empty when it is."""
    spec, namespace = policy.spec, report.metadata.namespace
    if not matches(namespace, spec.namespaces):
        return f"it is for namespaces {', '.join(spec.namespaces)}"
    if spec.faults and report.spec.fault.type not in spec.faults:
        return f"it is for faults {', '.join(spec.faults)}, not {report.spec.fault.type}"
    reasons = [_target_mismatch(rule, report, labels) for rule in spec.targets]
    if reasons and all(reasons):
        return "; ".join(dict.fromkeys(reasons))
    return ""


def _target_mismatch(rule: TargetRule, report: DiagnosisReport, labels: Mapping[str, str]) -> str:
    target = report.spec.target
    if rule.kinds and target.kind not in rule.kinds:
        return f"it is for kinds {', '.join(rule.kinds)}"
    if not matches(target.name, rule.names):
        return f"it is for names {', '.join(rule.names)}"
    missing = {k: v for k, v in rule.match_labels.items() if labels.get(k) != v}
    if missing:
        return "the target lacks labels " + ", ".join(f"{k}={v}" for k, v in missing.items())
    return ""
