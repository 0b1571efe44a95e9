"""Which policy a report falls under: pure.

The order, from the strongest: a policy of the report's own namespace before one of the release
namespace, whatever they say; then a name that is spelled out, a name with wildcards, labels, kinds,
namespaces that are spelled out or have wildcards, and faults. Two that are alike in all of it are
a conflict, which is said and never guessed away.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from reme_api.diagnosis_report import DiagnosisReport
from reme_api.policy import RemediationPolicy, TargetRule
from reme_api.reasons import Reason
from reme_playbook.policy.policy_rules import matches


class NoPolicyChosen(NamedTuple):
    """Why no policy applies."""

    reason: Reason
    message: str


class UnreadablePolicy(NamedTuple):
    """A policy that does not fit its type: what it says is not known."""

    namespace: str
    name: str
    problem: str


class Rank(NamedTuple):
    """How narrowly a policy matches; the narrower one wins. 2 is spelled out, 1 has wildcards."""

    names: int
    labels: bool
    kinds: bool
    namespaces: int
    faults: bool

    def text(self) -> str:
        """Return what the policy is chosen by."""
        how = {1: " with wildcards", 2: ""}
        found = [f"name{how[self.names]}"] if self.names else []
        found += ["labels"] * self.labels + ["kind"] * self.kinds
        found += [f"namespace{how[self.namespaces]}"] if self.namespaces else []
        found += ["fault"] * self.faults
        return ", ".join(found) or "everything"


class PolicyMatch(NamedTuple):
    """One policy, and what speaks for or against it."""

    policy: RemediationPolicy
    rank: Rank | None
    why_not: str


def choose(
    report: DiagnosisReport,
    labels: Mapping[str, str],
    policies: Sequence[RemediationPolicy],
    release_namespace: str,
    unreadable: Sequence[UnreadablePolicy] = (),
) -> RemediationPolicy | NoPolicyChosen:
    """Return the policy for a report about a target with these labels.

    A policy of the report's own namespace goes before one of the release namespace, however narrow
    that one is: who owns a namespace knows it best, and may want less than the whole cluster does.
    One that cannot be read may have been the narrowest: as long as it is there, none is chosen.
    """
    namespace = report.metadata.namespace
    own = [p for p in policies if p.metadata.namespace == namespace]
    if report.spec.policy_ref is not None:
        return _named(report, labels, own, unreadable)
    for where in dict.fromkeys((namespace, release_namespace)):
        broken = next((u for u in unreadable if u.namespace == where), None)
        if broken is not None:
            return NoPolicyChosen(
                Reason.POLICY_INVALID,
                f"policy {where}/{broken.name} cannot be read: {broken.problem}",
            )
        candidates = [p for p in policies if p.metadata.namespace == where]
        ranked = [(r, p) for p in candidates if (r := rank(p, report, labels)) is not None]
        if ranked:
            return _best(ranked)
    return NoPolicyChosen(
        Reason.NO_POLICY_MATCHES,
        f"no RemediationPolicy in {namespace} or {release_namespace} covers "
        f"{report.spec.target.kind} {report.spec.target.name} with fault {report.spec.fault.type}",
    )


def _best(ranked: Sequence[tuple[Rank, RemediationPolicy]]) -> RemediationPolicy | NoPolicyChosen:
    best = max(r for r, _ in ranked)
    winners = [p for r, p in ranked if r == best]
    if len(winners) == 1:
        return winners[0]
    names = ", ".join(sorted(p.metadata.name for p in winners))
    return NoPolicyChosen(
        Reason.POLICY_CONFLICT,
        f"equally specific, by {best.text()}: {names}; narrow one, or name one in spec.policyRef",
    )


def rank_policies(
    report: DiagnosisReport,
    labels: Mapping[str, str],
    policies: Sequence[RemediationPolicy],
    release_namespace: str,
) -> list[PolicyMatch]:
    """Return every policy that could be about the report, the strongest first, with its reasons."""
    namespace = report.metadata.namespace
    found = []
    for policy in policies:
        if policy.metadata.namespace not in (namespace, release_namespace):
            continue
        why_not = mismatch(policy, report, labels)
        place = rank(policy, report, labels)
        found.append(PolicyMatch(policy, place, why_not))
    empty = Rank(0, False, False, 0, False)
    return sorted(
        found,
        key=lambda c: (
            c.rank is not None,
            c.policy.metadata.namespace == namespace,
            c.rank or empty,
            c.policy.metadata.name,
        ),
        reverse=True,
    )


def _named(
    report: DiagnosisReport,
    labels: Mapping[str, str],
    own: Sequence[RemediationPolicy],
    unreadable: Sequence[UnreadablePolicy],
) -> RemediationPolicy | NoPolicyChosen:
    assert report.spec.policy_ref is not None, "only called for a report that names a policy"
    name, namespace = report.spec.policy_ref.name, report.metadata.namespace
    found = next((p for p in own if p.metadata.name == name), None)
    broken = next((u for u in unreadable if (u.namespace, u.name) == (namespace, name)), None)
    if found is None and broken is not None:
        return NoPolicyChosen(
            Reason.POLICY_INVALID, f"policy {name} cannot be read: {broken.problem}"
        )
    if found is None:
        return NoPolicyChosen(
            Reason.POLICY_NOT_FOUND,
            f"no RemediationPolicy {name} in namespace {namespace}",
        )
    if rank(found, report, labels) is None:
        return NoPolicyChosen(
            Reason.NO_POLICY_MATCHES,
            f"policy {name} does not cover {report.spec.target.kind} {report.spec.target.name} "
            f"with fault {report.spec.fault.type}",
        )
    return found


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
        if not _mismatch(rule, report, labels)
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
    reasons = [_mismatch(rule, report, labels) for rule in spec.targets]
    if reasons and all(reasons):
        return "; ".join(dict.fromkeys(reasons))
    return ""


def _mismatch(rule: TargetRule, report: DiagnosisReport, labels: Mapping[str, str]) -> str:
    target = report.spec.target
    if rule.kinds and target.kind not in rule.kinds:
        return f"it is for kinds {', '.join(rule.kinds)}"
    if not matches(target.name, rule.names):
        return f"it is for names {', '.join(rule.names)}"
    lacking = {k: v for k, v in rule.match_labels.items() if labels.get(k) != v}
    if lacking:
        return "the target lacks labels " + ", ".join(f"{k}={v}" for k, v in lacking.items())
    return ""
