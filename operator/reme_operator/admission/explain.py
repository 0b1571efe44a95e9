"""What would be allowed for a report now, and why the rest would not: pure.

The same code decides here and in the operator: admission, the choice of the policy, the gate.
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
from reme_operator.admission.policy_selection import NoPolicyChosen, choose, rank_policies
from reme_playbook.actions.bounds import amount, permitted_range
from reme_playbook.actions.containers import RESOURCE_FIELDS
from reme_playbook.policy.action_space import evaluate
from reme_playbook.policy.policy_rules import current_disruption
from reme_playbook.snapshot.quantity import format_cpu, format_memory
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_MOST_SHOWN = 5


class PolicyExplanation(BaseModel):
    """One policy, and what speaks for or against it."""

    name: str  # namespace/name
    chosen: bool
    matched_by: str = ""
    why_not: str = ""


class Allowed(BaseModel):
    """One action that could be taken now."""

    summary: str
    disruption: str


class Refused(BaseModel):
    """One action that the gate would not let through, and why."""

    summary: str
    rule: str
    message: str


class ActionExplanation(BaseModel):
    """One kind of action: what of it is possible now."""

    name: ActionName
    listed: bool  # by the policy
    bounds: list[str] = []
    allowed: list[Allowed] = []
    refused: list[Refused] = []
    more_refused: int = 0
    note: str = ""


class Explanation(BaseModel):
    """Everything that is said about one report."""

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
    notes: list[str] = []


def explain(
    case: AdmissionInput, live: ClusterSnapshot | None, now: datetime, notes: Sequence[str] = ()
) -> Explanation:
    """Return what would become of the report, and of every action on its target."""
    report, home = case.report, case.release_namespace
    labels = case.target.labels if case.target else {}
    chosen = choose(report, labels, case.policies, home, case.unreadable)
    policy = None if isinstance(chosen, NoPolicyChosen) else chosen
    accepted, reason, message = _outcome(admit(case, now))
    target, namespace = report.spec.target, report.metadata.namespace
    return Explanation(
        report=f"{namespace}/{report.metadata.name}",
        target=f"{target.kind} {namespace}/{target.name}",
        time=now,
        accepted=accepted,
        reason=reason,
        message=message,
        policies=_policies(case, chosen),
        policy=_key(policy) if policy else "",
        limits=_limits(policy.spec) if policy else [],
        actions=_actions(policy.spec, live, home, now) if policy and live else [],
        notes=list(notes),
    )


def _outcome(admission: Admission) -> tuple[bool, str, str]:
    if isinstance(admission, Accept):
        return True, "RemediationCreated", "it would be acted on now"
    if isinstance(admission, AlreadyAdmitted):
        return True, "RemediationCreated", f"it has its remediation: {admission.name}"
    again = f"; again at {admission.retry_at:%Y-%m-%d %H:%M:%S} UTC" if admission.retry_at else ""
    return False, str(admission.reason), admission.message + again


def _policies(
    case: AdmissionInput, choice: RemediationPolicy | NoPolicyChosen
) -> list[PolicyExplanation]:
    chosen = None if isinstance(choice, NoPolicyChosen) else choice
    found = rank_policies(
        case.report,
        case.target.labels if case.target else {},
        case.policies,
        case.release_namespace,
    )
    lines = []
    for one in found:
        mine = one.policy is chosen
        why_not = one.why_not
        if not mine and one.rank is not None:
            why_not = _loses(case, one.policy, chosen) if chosen else _none(choice)
        matched = one.rank.text() if one.rank else ""
        lines.append(
            PolicyExplanation(
                name=_key(one.policy), chosen=mine, matched_by=matched, why_not=why_not
            )
        )
    for broken in case.unreadable:
        why = f"it cannot be read: {broken.problem}"
        name = f"{broken.namespace}/{broken.name}"
        lines.append(PolicyExplanation(name=name, chosen=False, why_not=why))
    return lines


def _none(choice: RemediationPolicy | NoPolicyChosen) -> str:
    return f"none is chosen: {choice.message}" if isinstance(choice, NoPolicyChosen) else ""


def _loses(case: AdmissionInput, policy: RemediationPolicy, chosen: RemediationPolicy) -> str:
    if case.report.spec.policy_ref is not None:
        return "the report names another"
    if policy.metadata.namespace != chosen.metadata.namespace:
        return f"a policy of namespace {chosen.metadata.namespace} goes first"
    return f"{_key(chosen)} is more specific"


def _key(policy: RemediationPolicy) -> str:
    return f"{policy.metadata.namespace}/{policy.metadata.name}"


def _limits(spec: RemediationPolicySpec) -> list[str]:
    budgets = spec.budgets
    rests = f"{budgets.cooldown_seconds} s, after failures up to {budgets.max_cooldown_seconds} s"
    lines = [
        f"mode {spec.mode}" + (f", profile {spec.profile}" if spec.profile else ""),
        f"at most {spec.max_attempts} attempts, disruption up to {spec.max_disruption}",
        f"at most {budgets.max_concurrent} at once and {budgets.max_per_hour} per hour",
        f"a target rests {rests}",
    ]
    if budgets.max_workloads_percent < 100:
        lines.append(
            f"at most {budgets.max_workloads_percent} % of the namespace's workloads within "
            f"{budgets.workloads_window_seconds} s"
        )
    lines += _evidence(spec.evidence)
    lines += [f"only {window.text()}" for window in spec.windows]
    return lines


def _evidence(needed: EvidenceRequirements) -> Iterator[str]:
    if needed.min_confidence_percent:
        yield f"a diagnosis must be {needed.min_confidence_percent} % sure, if it says how sure"
    if needed.require_probe_failure:
        yield "the probes must have seen the fault"
    if needed.min_persistence_seconds:
        yield f"a fault must last {needed.min_persistence_seconds} s before anything is changed"


def _actions(
    spec: RemediationPolicySpec, live: ClusterSnapshot, home: str, now: datetime
) -> list[ActionExplanation]:
    listed = {rule.name for rule in spec.actions}
    return [
        _action(name, spec, live, home, now)
        if name in listed
        else ActionExplanation(name=name, listed=False, note="the policy does not list it")
        for name in ActionName
    ]


def _action(
    name: ActionName, spec: RemediationPolicySpec, live: ClusterSnapshot, home: str, now: datetime
) -> ActionExplanation:
    rules = [rule for rule in spec.actions if rule.name is name]
    allowed: dict[str, Allowed] = {}
    refused: dict[tuple[str, str], Refused] = {}
    for one in evaluate(name, live, spec, release_namespace=home, now=now):
        if one.action is None:
            continue  # a draft without contents, as where nothing was different before
        summary, error = one.action.summary(), one.refusal
        if error is None:
            disturbs = current_disruption(one.action, live)
            allowed[summary] = Allowed(summary=summary, disruption=disturbs)
        else:
            found = Refused(summary=summary, rule=error.rule, message=error.message)
            refused[summary, error.rule] = found
    note = "" if allowed or refused else "nothing here that it could change"
    return ActionExplanation(
        name=name,
        listed=True,
        bounds=[line for rule in rules for line in _bounds(rule, live)],
        allowed=list(allowed.values()),
        refused=list(refused.values())[:_MOST_SHOWN],
        more_refused=max(0, len(refused) - _MOST_SHOWN),
        note=note,
    )


def _bounds(rule: ActionRule, live: ClusterSnapshot) -> Iterator[str]:
    narrowed = {
        "kinds": rule.kinds,
        "names": rule.names,
        "containers": rule.containers,
        "fields": rule.fields,
    }
    for what, patterns in narrowed.items():
        if patterns:
            yield f"only {what} {', '.join(patterns)}"
    for window in rule.windows:
        yield f"only {window.text()}"
    if rule.name is ActionName.SCALE:
        now = live.replicas.desired
        steps = permitted_range(now, rule)
        highest = min(steps[-1], rule.max_replicas)
        lowest = max(1, steps[0])
        yield f"replicas {now} now: {lowest} to {max(lowest, highest)}, or a number of before"
    elif rule.name is ActionName.SET_RESOURCES:
        yield from _amounts(rule, live)
    elif rule.name in (ActionName.SET_AUTOSCALING, ActionName.SET_QUOTA):
        yield f"up to {rule.max_increase_percent} % more"


def _amounts(rule: ActionRule, live: ClusterSnapshot) -> Iterator[str]:
    for container in live.containers:
        for field in RESOURCE_FIELDS:
            text = getattr(container.resources, field)
            if text is None:
                continue
            steps = permitted_range(amount(field, text), rule)
            written = format_cpu if field.startswith("cpu") else format_memory
            most = rule.max_cpu_millicores
            if not field.startswith("cpu"):
                mebibytes = rule.max_memory_mebibytes
                most = None if mebibytes is None else mebibytes * 2**20
            highest = steps[-1] if most is None else min(steps[-1], most)
            yield (
                f"{container.name} {field.replace('_', ' ')} {text} now: {written(steps[0])} to "
                f"{written(highest)}, or an amount of before"
            )
