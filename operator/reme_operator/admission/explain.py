"""Explains what would become of a report, and which actions would be allowed. Pure.

Admission, choice of the policy and policy checks are the operator's own functions.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from pydantic import BaseModel

from reme_api.actions import ActionName
from reme_api.policy import (
    ActionRule,
    EvidenceRequirements,
    RemediationPolicy,
    RemediationPolicySpec,
)
from reme_operator.admission.admit import Accept, Admission, AdmissionInput, AlreadyAdmitted, admit
from reme_operator.admission.policy_selection import NoPolicyChosen, rank_policies, select_policy
from reme_playbook.actions.registry import PUBLIC
from reme_playbook.policy.action_space import evaluate
from reme_playbook.policy.evidence_rules import RULES, NotSupportedError
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_MOST_SHOWN = 5


class PolicyExplanation(BaseModel):
    """Whether a policy applies, and why."""

    name: str  # namespace/name
    chosen: bool
    matched_by: str = ""
    why_not: str = ""


class AllowedAction(BaseModel):
    """An action that would be allowed now."""

    summary: str
    disruption: str


class RefusedAction(BaseModel):
    """An action that would be refused now, and why."""

    summary: str
    rule: str
    message: str


class ActionExplanation(BaseModel):
    """A kind of action: its bounds, and what is allowed of it now."""

    name: ActionName
    listed: bool  # whether the policy lists it
    bounds: list[str] = []
    allowed: list[AllowedAction] = []
    refused: list[RefusedAction] = []
    more_refused: int = 0
    note: str = ""


class EvidenceExplanation(BaseModel):
    """An evidence rule that refuses actions now."""

    rule: str
    reason: str
    refused: list[str]  # summaries


class Explanation(BaseModel):
    """The explanation of one report."""

    report: str
    target: str
    time: datetime
    accepted: bool
    reason: str
    message: str
    policies: list[PolicyExplanation]
    policy: str = ""
    limits: list[str] = []
    actions: list[ActionExplanation] = []
    evidence: list[EvidenceExplanation] = []
    notes: list[str] = []


def explain(
    admission: AdmissionInput,
    snapshot: ClusterSnapshot | None,
    now: datetime,
    notes: Sequence[str] = (),
) -> Explanation:
    """Return what would become of the report now, and of every action on its target."""
    report, release_namespace = admission.report, admission.release_namespace
    labels = admission.target.labels if admission.target else {}
    choice = select_policy(
        report, labels, admission.policies, release_namespace, admission.unreadable
    )
    policy = None if isinstance(choice, NoPolicyChosen) else choice
    admitted = admit(admission, now)
    accepted, reason, message = _result(admitted)
    admission_notes = admitted.notes if isinstance(admitted, Accept) else ()
    target, namespace = report.spec.target, report.metadata.namespace
    return Explanation(
        report=f"{namespace}/{report.metadata.name}",
        target=f"{target.kind} {namespace}/{target.name}",
        time=now,
        accepted=accepted,
        reason=reason,
        message=message,
        policies=_policies(admission, choice),
        policy=_key(policy) if policy else "",
        limits=_limits(policy.spec) if policy else [],
        actions=(
            _actions(policy.spec, snapshot, release_namespace, now) if policy and snapshot else []
        ),
        evidence=_evidence_rules(policy.spec, snapshot) if policy and snapshot else [],
        notes=[*admission_notes, *report.spec.notes, *notes],
    )


def _result(admission: Admission) -> tuple[bool, str, str]:
    if isinstance(admission, Accept):
        return True, "RemediationCreated", "a remediation would be created now"
    if isinstance(admission, AlreadyAdmitted):
        return True, "RemediationCreated", f"remediation {admission.name} exists already"
    retry = f"; retried at {admission.retry_at:%Y-%m-%d %H:%M:%S} UTC" if admission.retry_at else ""
    return False, str(admission.reason), admission.message + retry


def _policies(
    admission: AdmissionInput, choice: RemediationPolicy | NoPolicyChosen
) -> list[PolicyExplanation]:
    chosen = None if isinstance(choice, NoPolicyChosen) else choice
    ranked = rank_policies(
        admission.report,
        admission.target.labels if admission.target else {},
        admission.policies,
        admission.release_namespace,
    )
    lines = []
    for candidate in ranked:
        is_chosen = candidate.policy is chosen
        why_not = candidate.mismatch
        if not is_chosen and candidate.rank is not None:
            why_not = (
                _why_lower(admission, candidate.policy, chosen) if chosen else _why_none(choice)
            )
        lines.append(
            PolicyExplanation(
                name=_key(candidate.policy),
                chosen=is_chosen,
                matched_by=candidate.rank.text() if candidate.rank else "",
                why_not=why_not,
            )
        )
    for policy in admission.unreadable:
        name, why = f"{policy.namespace}/{policy.name}", f"it cannot be read: {policy.problem}"
        lines.append(PolicyExplanation(name=name, chosen=False, why_not=why))
    return lines


def _why_none(choice: RemediationPolicy | NoPolicyChosen) -> str:
    return f"no policy is chosen: {choice.message}" if isinstance(choice, NoPolicyChosen) else ""


def _why_lower(
    admission: AdmissionInput, policy: RemediationPolicy, chosen: RemediationPolicy
) -> str:
    if admission.report.spec.policy_ref is not None:
        return "the report names another policy"
    if policy.metadata.namespace != chosen.metadata.namespace:
        return f"policies of namespace {chosen.metadata.namespace} have priority"
    return f"{_key(chosen)} is more specific"


def _key(policy: RemediationPolicy) -> str:
    return f"{policy.metadata.namespace}/{policy.metadata.name}"


def _limits(spec: RemediationPolicySpec) -> list[str]:
    budgets = spec.budgets
    lines = [
        f"mode {spec.mode}" + (f", profile {spec.profile}" if spec.profile else ""),
        f"at most {spec.max_attempts} attempts, disruption up to {spec.max_disruption}",
        f"at most {budgets.max_concurrent} remediations at once, {budgets.max_per_hour} per hour",
        f"cooldown {budgets.cooldown_seconds} s, after failures {budgets.max_cooldown_seconds} s",
    ]
    if budgets.max_workloads_percent < 100:
        lines.append(
            f"at most {budgets.max_workloads_percent} % of the namespace's workloads within "
            f"{budgets.workloads_window_seconds} s"
        )
    lines += _evidence(spec.evidence)
    lines += [f"only {window.text()}" for window in spec.windows]
    return lines


def _evidence(evidence: EvidenceRequirements) -> Iterator[str]:
    if evidence.min_confidence_percent:
        yield f"a diagnosis with a confidence has at least {evidence.min_confidence_percent} %"
    if evidence.require_probe_failure:
        yield "the probes must confirm the fault"
    if evidence.min_persistence_seconds:
        yield f"a fault must persist for {evidence.min_persistence_seconds} s before any change"


def _actions(
    spec: RemediationPolicySpec, snapshot: ClusterSnapshot, release_namespace: str, now: datetime
) -> list[ActionExplanation]:
    listed = {rule.name for rule in spec.actions}
    return [
        _action(name, spec, snapshot, release_namespace, now)
        if name in listed
        else ActionExplanation(name=name, listed=False, note="not listed by the policy")
        for name in ActionName
    ]


def _action(
    name: ActionName,
    spec: RemediationPolicySpec,
    snapshot: ClusterSnapshot,
    release_namespace: str,
    now: datetime,
) -> ActionExplanation:
    rules = [rule for rule in spec.actions if rule.name is name]
    allowed: dict[str, AllowedAction] = {}
    refused: dict[tuple[str, str], RefusedAction] = {}
    for candidate in evaluate(name, snapshot, spec, release_namespace=release_namespace, now=now):
        if candidate.action is None:
            continue  # no values to offer, such as a rollback without an earlier revision
        summary, error = candidate.action.summary(), candidate.refusal
        if error is None:
            disruption = candidate.action.current_disruption(snapshot)
            allowed[summary] = AllowedAction(summary=summary, disruption=disruption)
        else:
            refused[summary, error.rule] = RefusedAction(
                summary=summary, rule=error.rule, message=error.message
            )
    return ActionExplanation(
        name=name,
        listed=True,
        bounds=[line for rule in rules for line in _bounds(rule, snapshot)],
        allowed=list(allowed.values()),
        refused=list(refused.values())[:_MOST_SHOWN],
        more_refused=max(0, len(refused) - _MOST_SHOWN),
        note="" if allowed or refused else "the target has nothing that it could change",
    )


def _evidence_rules(
    spec: RemediationPolicySpec, snapshot: ClusterSnapshot
) -> list[EvidenceExplanation]:
    """Return the evidence rules that refuse something, with what they refuse."""
    refused: dict[str, list[str]] = {}
    for name in {rule.name: None for rule in spec.actions}:
        for candidate in evaluate(name, snapshot, spec):
            error = candidate.refusal
            if candidate.action is not None and isinstance(error, NotSupportedError):
                refused.setdefault(error.evidence_rule.name, []).append(candidate.action.summary())
    return [
        EvidenceExplanation(rule=rule.name, reason=rule.reason, refused=refused[rule.name])
        for rule in RULES
        if rule.name in refused
    ]


def _bounds(rule: ActionRule, snapshot: ClusterSnapshot) -> Iterator[str]:
    selectors = {
        "kinds": rule.kinds,
        "names": rule.names,
        "containers": rule.containers,
        "fields": rule.fields,
    }
    for name, patterns in selectors.items():
        if patterns:
            yield f"only {name} {', '.join(patterns)}"
    for window in rule.windows:
        yield f"only {window.text()}"
    yield from PUBLIC[rule.name].rule_bounds(rule, snapshot)
