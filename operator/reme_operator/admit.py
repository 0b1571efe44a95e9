"""Whether a report becomes a remediation now, later, or not at all: pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reme_api.base import ObjectMeta
from reme_api.diagnosis_report import DiagnosisReport
from reme_api.policy import RemediationPolicy
from reme_api.probes import Probe, RolloutProbe
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import PolicySnapshot, Remediation, RemediationSpec, ReportReference
from reme_operator.ledger import Entry
from reme_operator.names import (
    FINALIZER,
    MANAGED_BY_LABEL,
    PART_OF_LABEL,
    PROTECTED_LABEL,
    REPORT_NAME_LABEL,
    REPORT_UID_LABEL,
    clipped,
    remediation_name,
)
from reme_operator.policies import Unfit, choose

PROTECTED_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease"})

LOOK_AGAIN = timedelta(seconds=60)
"""When nothing tells that a reason has passed, it is looked at again after this."""

BUSY_LOOK_AGAIN = timedelta(seconds=60)
"""The same for what ends with a remediation; its end wakes the report as well."""


@dataclass(frozen=True, slots=True)
class TargetSeen:
    """What admission reads of the target."""

    labels: Mapping[str, str] = field(default_factory=dict)
    containers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A report and everything that admission depends on."""

    report: DiagnosisReport
    target: TargetSeen | None
    policies: Sequence[RemediationPolicy]
    entries: Sequence[Entry]
    release_namespace: str
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Accept:
    """A remediation is to be created."""

    remediation: Remediation


@dataclass(frozen=True, slots=True)
class Known:
    """This report, as it is, has its remediation already."""

    name: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """Not now, or not at all when there is no time to look again."""

    reason: Reason
    message: str
    retry_at: datetime | None = None


Admission = Accept | Known | Refuse


def admit(case: Case, now: datetime) -> Admission:
    """Return what becomes of the report."""
    report = case.report
    name = remediation_name(report)
    if name in {s.name for s in report.status.remediations} or any(
        e.namespace == report.metadata.namespace and e.name == name for e in case.entries
    ):
        return Known(name)
    if report.spec.suspend:
        return Refuse(Reason.SUSPENDED, "spec.suspend is true")
    if case.paused:
        return Refuse(Reason.SUSPENDED, "the operator is paused", now + LOOK_AGAIN)
    if refusal := _unfit_target(case, now):
        return refusal
    assert case.target is not None, "a target that is missing was refused"
    policy = choose(report, case.target.labels, case.policies, case.release_namespace)
    if isinstance(policy, Unfit):
        return Refuse(policy.reason, policy.message)
    if policy.spec.suspend:
        return Refuse(Reason.POLICY_SUSPENDED, f"policy {_key(policy)} is suspended")
    if not policy.spec.actions:
        return Refuse(Reason.POLICY_ALLOWS_NOTHING, f"policy {_key(policy)} lists no action")
    if refusal := _too_early(case, policy, now):
        return refusal
    return Accept(_remediation(report, policy, name))


def _unfit_target(case: Case, now: datetime) -> Refuse | None:
    spec, namespace = case.report.spec, case.report.metadata.namespace
    what = f"{spec.target.kind} {namespace}/{spec.target.name}"
    if namespace == case.release_namespace or namespace in PROTECTED_NAMESPACES:
        return Refuse(Reason.TARGET_PROTECTED, f"nothing in namespace {namespace} is ever a target")
    if case.target is None:
        return Refuse(Reason.TARGET_NOT_FOUND, f"{what} does not exist", now + LOOK_AGAIN)
    if case.target.labels.get(PROTECTED_LABEL) == "true":
        return Refuse(
            Reason.TARGET_PROTECTED, f"{what} is labelled {PROTECTED_LABEL}", now + LOOK_AGAIN
        )
    if case.target.labels.get(PART_OF_LABEL) == "reme":
        return Refuse(Reason.TARGET_PROTECTED, f"{what} is a part of reme")
    container = spec.target.container
    if container is not None and container not in case.target.containers:
        known = ", ".join(case.target.containers)
        return Refuse(
            Reason.TARGET_UNSUPPORTED,
            f"{what} has no container {container}, only {known}",
            now + LOOK_AGAIN,
        )
    return None


def _too_early(case: Case, policy: RemediationPolicy, now: datetime) -> Refuse | None:
    report, budgets = case.report, policy.spec.budgets
    mine = [e for e in case.entries if e.same_target(report.metadata.namespace, report.spec.target)]
    if busy := next((e for e in mine if e.open), None):
        return Refuse(
            Reason.TARGET_BUSY, f"remediation {busy.name} is under way", now + BUSY_LOOK_AGAIN
        )
    rest = timedelta(seconds=budgets.cooldown_seconds)
    rested = max((e.completed + rest for e in mine if e.completed and _acted(e)), default=now)
    if rested > now:
        return Refuse(
            Reason.COOLING_DOWN,
            f"the target rests for {budgets.cooldown_seconds} s after a remediation",
            rested,
        )
    under = [e for e in case.entries if e.policy == _key(policy)]
    if sum(e.open for e in under) >= budgets.max_concurrent:
        return Refuse(
            Reason.BUDGET_EXHAUSTED,
            f"policy {_key(policy)} allows {budgets.max_concurrent} open at once",
            now + BUSY_LOOK_AGAIN,
        )
    hour = timedelta(hours=1)
    recent = sorted(e.created for e in under if e.created > now - hour)
    if len(recent) >= budgets.max_per_hour:
        return Refuse(
            Reason.BUDGET_EXHAUSTED,
            f"policy {_key(policy)} allows {budgets.max_per_hour} per hour",
            recent[-budgets.max_per_hour] + hour,
        )
    return None


def _acted(found: Entry) -> bool:
    return found.outcome is not Outcome.NO_ACTION_NEEDED


def _key(policy: RemediationPolicy) -> str:
    return f"{policy.metadata.namespace}/{policy.metadata.name}"


def probes_for(report: DiagnosisReport, policy: RemediationPolicy) -> list[Probe]:
    """Return what is measured: the report's probes, else the policy's, else the rollout."""
    return (
        list(report.spec.probes)
        or list(policy.spec.verification.probes)
        or [Probe(name="rollout", rollout=RolloutProbe())]
    )


def _remediation(report: DiagnosisReport, policy: RemediationPolicy, name: str) -> Remediation:
    meta = report.metadata
    # Not owned by the report: a deleted report must not take the record with it.
    # The finalizer is there from the first moment, so that no run can outlive its clean-up.
    metadata = ObjectMeta.model_validate(
        {
            "name": name,
            "namespace": meta.namespace,
            "finalizers": [FINALIZER],
            "labels": {
                MANAGED_BY_LABEL: "reme",
                REPORT_UID_LABEL: meta.uid,
                REPORT_NAME_LABEL: clipped(meta.name),
            },
        }
    )
    return Remediation(
        metadata=metadata,
        spec=RemediationSpec(
            report_ref=ReportReference(name=meta.name, uid=meta.uid, generation=meta.generation),
            target=report.spec.target,
            fault=report.spec.fault,
            probes=probes_for(report, policy),
            policy=PolicySnapshot(
                name=policy.metadata.name,
                namespace=policy.metadata.namespace,
                uid=policy.metadata.uid,
                generation=policy.metadata.generation,
                spec=policy.spec,
            ),
        ),
    )
