"""Whether a report becomes a remediation now, later, or not at all: pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reme_api.base import ObjectMeta
from reme_api.diagnosis_report import DiagnosisReport
from reme_api.policy import Mode, OutsideWindows, RemediationPolicy
from reme_api.probes import Probe, RolloutProbe
from reme_api.reasons import Reason
from reme_api.remediation import PolicySnapshot, Remediation, RemediationSpec, ReportReference
from reme_api.windows import is_open, next_opening
from reme_operator.admission.budgets import (
    RETRY_INTERVAL,
    BudgetRequest,
    OperatorLimits,
    busy,
    exceeded_budget,
    failures,
)
from reme_operator.admission.policy_selection import NoPolicyChosen, UnreadablePolicy, choose
from reme_operator.admission.policy_validation import problems
from reme_operator.admission.remediation_index import RemediationInfo
from reme_operator.admission.storm import StormImpact
from reme_operator.names import (
    FAILURES_ANNOTATION,
    FINALIZER,
    MANAGED_BY_LABEL,
    PART_OF_LABEL,
    PROTECTED_LABEL,
    REPORT_NAME_LABEL,
    REPORT_UID_LABEL,
    clipped,
    remediation_name,
)

PROTECTED_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease"})


@dataclass(frozen=True, slots=True)
class TargetInfo:
    """What admission reads of the target."""

    labels: Mapping[str, str] = field(default_factory=dict)
    containers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AdmissionInput:
    """A report and everything that admission depends on."""

    report: DiagnosisReport
    target: TargetInfo | None
    policies: Sequence[RemediationPolicy]
    entries: Sequence[RemediationInfo]
    release_namespace: str
    paused: bool = False
    stopped: str = ""  # by the kill switch, and why
    unreadable: Sequence[UnreadablePolicy] = ()
    limits: OperatorLimits = field(default_factory=OperatorLimits)
    workloads: int = 0  # of the namespace, where the policy bounds the share that is touched
    storm: StormImpact = field(default_factory=StormImpact)


@dataclass(frozen=True, slots=True)
class Accept:
    """A remediation is to be created."""

    remediation: Remediation


@dataclass(frozen=True, slots=True)
class AlreadyAdmitted:
    """This report, as it is, has its remediation already."""

    name: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """Not now, or not at all when there is no time to look again."""

    reason: Reason
    message: str
    retry_at: datetime | None = None


Admission = Accept | AlreadyAdmitted | Refuse


def admit(case: AdmissionInput, now: datetime) -> Admission:
    """Return what becomes of the report."""
    report = case.report
    name = remediation_name(report)
    if name in {s.name for s in report.status.remediations} or any(
        e.namespace == report.metadata.namespace and e.name == name for e in case.entries
    ):
        return AlreadyAdmitted(name)
    if refusal := _stopped(case, now) or _unfit_target(case, now):
        return refusal
    assert case.target is not None, "a target that is missing was refused"
    policy = choose(
        report, case.target.labels, case.policies, case.release_namespace, case.unreadable
    )
    if isinstance(policy, NoPolicyChosen):
        return Refuse(policy.reason, policy.message)
    if refusal := (
        _unusable(policy, case.release_namespace)
        or _too_unsure(report, policy)
        or _out_of_hours(policy, now)
        or _too_early(case, policy, now)
    ):
        return refusal
    return Accept(new_remediation(report, policy, name, case.entries))


def _stopped(case: AdmissionInput, now: datetime) -> Refuse | None:
    if case.report.spec.suspend:
        return Refuse(Reason.SUSPENDED, "spec.suspend is true")
    if case.stopped:
        return Refuse(Reason.KILL_SWITCH, case.stopped, now + RETRY_INTERVAL)
    if case.paused:
        return Refuse(Reason.SUSPENDED, "the operator is paused", now + RETRY_INTERVAL)
    return None


def _unusable(policy: RemediationPolicy, release_namespace: str) -> Refuse | None:
    if policy.spec.suspend:
        return Refuse(Reason.POLICY_SUSPENDED, f"policy {_key(policy)} is suspended")
    if wrong := problems(policy, release_namespace):
        return Refuse(Reason.POLICY_INVALID, f"policy {_key(policy)}: {'; '.join(wrong)}"[:1024])
    if not policy.spec.actions:
        return Refuse(Reason.POLICY_ALLOWS_NOTHING, f"policy {_key(policy)} lists no action")
    return None


def _too_unsure(report: DiagnosisReport, policy: RemediationPolicy) -> Refuse | None:
    sure, least = report.spec.fault.confidence_percent, policy.spec.evidence.min_confidence_percent
    if sure is None or sure >= least:
        return None
    return Refuse(
        Reason.TOO_LITTLE_EVIDENCE,
        f"the diagnosis is {sure} % sure, policy {_key(policy)} asks for {least} %",
    )


def _out_of_hours(policy: RemediationPolicy, now: datetime) -> Refuse | None:
    spec = policy.spec
    if spec.mode is Mode.OBSERVE or is_open(spec.windows, now):
        return None
    times = "; ".join(window.text() for window in spec.windows)[:512]
    message = f"policy {_key(policy)} changes something only at {times}"
    if spec.outside_windows is OutsideWindows.REFUSE:
        return Refuse(Reason.OUTSIDE_WINDOW, message)
    return Refuse(Reason.OUTSIDE_WINDOW, message, next_opening(spec.windows, now))


def _unfit_target(case: AdmissionInput, now: datetime) -> Refuse | None:
    spec, namespace = case.report.spec, case.report.metadata.namespace
    what = f"{spec.target.kind} {namespace}/{spec.target.name}"
    if namespace == case.release_namespace or namespace in PROTECTED_NAMESPACES:
        return Refuse(Reason.TARGET_PROTECTED, f"nothing in namespace {namespace} is ever a target")
    if case.target is None:
        return Refuse(Reason.TARGET_NOT_FOUND, f"{what} does not exist", now + RETRY_INTERVAL)
    if case.target.labels.get(PROTECTED_LABEL) == "true":
        return Refuse(
            Reason.TARGET_PROTECTED, f"{what} is labelled {PROTECTED_LABEL}", now + RETRY_INTERVAL
        )
    if case.target.labels.get(PART_OF_LABEL) == "reme":
        return Refuse(Reason.TARGET_PROTECTED, f"{what} is a part of reme")
    container = spec.target.container
    if container is not None and container not in case.target.containers:
        known = ", ".join(case.target.containers)
        return Refuse(
            Reason.TARGET_UNSUPPORTED,
            f"{what} has no container {container}, only {known}",
            now + RETRY_INTERVAL,
        )
    return None


def _too_early(case: AdmissionInput, policy: RemediationPolicy, now: datetime) -> Refuse | None:
    report, storm = case.report, case.storm
    asked = BudgetRequest(
        report.metadata.namespace,
        report.spec.target,
        _key(policy),
        policy.spec.budgets,
        case.workloads,
    )
    if hold := busy(case.entries, asked, now):
        return Refuse(*hold)
    if storm.handled_by:
        return Refuse(
            Reason.SAME_CAUSE,
            f"{storm.open} reports at once: {storm.handled_by} is acted on first, it has the same "
            f"cause ({storm.cause})",
            now + RETRY_INTERVAL,
        )
    if hold := exceeded_budget(case.entries, asked, case.limits, now):
        return Refuse(*hold)
    if storm.active and sum(e.open for e in case.entries) >= storm.most:
        return Refuse(
            Reason.REPORT_STORM,
            f"{storm.open} reports at once: {storm.most} are acted on at a time, the worst first",
            now + RETRY_INTERVAL,
        )
    return None


def _key(policy: RemediationPolicy) -> str:
    return f"{policy.metadata.namespace}/{policy.metadata.name}"


def probes_for(report: DiagnosisReport, policy: RemediationPolicy) -> list[Probe]:
    """Return what is measured: the report's probes, else the policy's, else the rollout."""
    return (
        list(report.spec.probes)
        or list(policy.spec.verification.probes)
        or [Probe(name="rollout", rollout=RolloutProbe())]
    )


def new_remediation(
    report: DiagnosisReport,
    policy: RemediationPolicy,
    name: str,
    entries: Sequence[RemediationInfo],
) -> Remediation:
    """Return the remediation that a report becomes under a policy, as it is created."""
    meta = report.metadata
    before = failures(entries, meta.namespace, report.spec.target)
    # Not owned by the report: a deleted report must not take the record with it.
    # The finalizer is there from the first moment, so that no run can outlive its clean-up.
    metadata = ObjectMeta.model_validate(
        {
            "name": name,
            "namespace": meta.namespace,
            "finalizers": [FINALIZER],
            "annotations": {FAILURES_ANNOTATION: str(before)},
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
