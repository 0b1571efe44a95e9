"""Whether a report becomes a remediation now, later, or not at all. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reme_api.base import ObjectMeta
from reme_api.diagnosis_report import DiagnosisReport, Target
from reme_api.policy import Mode, OutsideWindows, RemediationPolicy
from reme_api.reasons import Reason
from reme_api.remediation import PolicySnapshot, Remediation, RemediationSpec, ReportReference
from reme_api.windows import is_open, next_opening
from reme_operator.admission.budgets import (
    RETRY_INTERVAL,
    BudgetRequest,
    OperatorLimits,
    exceeded_budget,
    failures_in_a_row,
    target_locked,
)
from reme_operator.admission.chosen_probes import ChosenProbes, choose_probes
from reme_operator.admission.follow_ups import parent_of
from reme_operator.admission.policy_selection import NoPolicyChosen, select_policy
from reme_operator.admission.policy_validation import (
    UnreadablePolicy,
    outside_windows_message,
    policy_key,
    policy_problems,
)
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
    label_value,
    remediation_name,
)
from reme_operator.probes.derived import Json, WorkloadPorts

PROTECTED_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease"})


@dataclass(frozen=True, slots=True)
class TargetInfo:
    """What admission reads of the target."""

    labels: Mapping[str, str] = field(default_factory=dict)
    containers: tuple[str, ...] = ()
    ports: WorkloadPorts | None = None  # for derived probes


@dataclass(frozen=True, slots=True)
class AdmissionInput:
    """A report and everything that admission depends on."""

    report: DiagnosisReport
    target: TargetInfo | None
    policies: Sequence[RemediationPolicy]
    remediations: Sequence[RemediationInfo]
    release_namespace: str
    paused: bool = False
    stopped_by: str = ""  # the kill switch's message while it is on
    unreadable: Sequence[UnreadablePolicy] = ()
    limits: OperatorLimits = field(default_factory=OperatorLimits)
    workloads: int = 0  # of the namespace, where the policy bounds the share that is changed
    services: Sequence[Json] = ()  # of the namespace, for derived probes
    storm: StormImpact = field(default_factory=StormImpact)


@dataclass(frozen=True, slots=True)
class Accept:
    """A remediation is to be created; the notes say what of the report was ignored or added."""

    remediation: Remediation
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AlreadyAdmitted:
    """This generation of the report has its remediation already."""

    name: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """Not now; or not at all when there is no time to look again."""

    reason: Reason
    message: str
    retry_at: datetime | None = None


Admission = Accept | AlreadyAdmitted | Refuse


def admit(case: AdmissionInput, now: datetime) -> Admission:
    """Return what becomes of the report."""
    report = case.report
    name = remediation_name(report)
    if _has_remediation(case, name):
        return AlreadyAdmitted(name)
    if refusal := _stopped(case, now) or _unsuitable_target(case, now):
        return refusal
    labels = case.target.labels if case.target else {}
    policy = select_policy(report, labels, case.policies, case.release_namespace, case.unreadable)
    if isinstance(policy, NoPolicyChosen):
        return Refuse(policy.reason, policy.message)
    return (
        _unusable_policy(policy, case.release_namespace)
        or _low_confidence(report, policy)
        or _outside_window(policy, now)
        or _no_capacity(case, policy, now)
        or accept(case, policy, name, now)
    )


def accept(case: AdmissionInput, policy: RemediationPolicy, name: str, now: datetime) -> Accept:
    """Return the remediation that the report becomes under the policy, and notes on it."""
    report, notes = case.report, []
    if note := unknown_container(report.spec.target, case.target):
        target = report.spec.target.model_copy(update={"container": None})
        report = report.model_copy(
            update={"spec": report.spec.model_copy(update={"target": target})}
        )
        notes.append(note)
    ports = case.target.ports if case.target else None
    chosen = choose_probes(report.spec, policy.spec, ports, case.services)
    notes += chosen.notes
    remediation = new_remediation(report, policy, name, chosen, case.remediations, now)
    return Accept(remediation, tuple(notes))


def unknown_container(target: Target, info: TargetInfo | None) -> str:
    """Return the note on a container that the target does not have; empty when it has it.

    Tools write the name of the workload, or of a container of another release: that is a wrong
    hint, and no reason to refuse what the rest of the report says.
    """
    if target.container is None or info is None or target.container in info.containers:
        return ""
    known = ", ".join(info.containers) or "none"
    return (
        f"target.container was ignored: {target.kind} {target.name} has no container"
        f" {target.container}; it has {known}"
    )


def _has_remediation(case: AdmissionInput, name: str) -> bool:
    namespace = case.report.metadata.namespace
    return any(summary.name == name for summary in case.report.status.remediations) or any(
        (info.namespace, info.name) == (namespace, name) for info in case.remediations
    )


def _stopped(case: AdmissionInput, now: datetime) -> Refuse | None:
    if case.report.spec.suspend:
        return Refuse(Reason.SUSPENDED, "spec.suspend is true")
    if case.stopped_by:
        return Refuse(Reason.KILL_SWITCH, case.stopped_by, now + RETRY_INTERVAL)
    if case.paused:
        return Refuse(Reason.SUSPENDED, "the operator is paused", now + RETRY_INTERVAL)
    return None


def _unsuitable_target(case: AdmissionInput, now: datetime) -> Refuse | None:
    spec, namespace, target = case.report.spec, case.report.metadata.namespace, case.target
    name, retry_at = f"{spec.target.kind} {namespace}/{spec.target.name}", now + RETRY_INTERVAL
    if namespace == case.release_namespace or namespace in PROTECTED_NAMESPACES:
        message = f"namespace {namespace} is protected: nothing in it is a target"
        return Refuse(Reason.TARGET_PROTECTED, message)
    if target is None:
        return Refuse(Reason.TARGET_NOT_FOUND, f"{name} does not exist", retry_at)
    if target.labels.get(PROTECTED_LABEL) == "true":
        return Refuse(
            Reason.TARGET_PROTECTED, f"{name} has the label {PROTECTED_LABEL}=true", retry_at
        )
    if target.labels.get(PART_OF_LABEL) == "reme":
        return Refuse(Reason.TARGET_PROTECTED, f"{name} is a part of reme")
    return None


def _unusable_policy(policy: RemediationPolicy, release_namespace: str) -> Refuse | None:
    key = policy_key(policy)
    if policy.spec.suspend:
        return Refuse(Reason.POLICY_SUSPENDED, f"policy {key} is suspended")
    if errors := policy_problems(policy, release_namespace):
        return Refuse(Reason.POLICY_INVALID, f"policy {key}: {'; '.join(errors)}"[:1024])
    if not policy.spec.actions:
        return Refuse(Reason.POLICY_ALLOWS_NOTHING, f"policy {key} lists no action")
    return None


def _low_confidence(report: DiagnosisReport, policy: RemediationPolicy) -> Refuse | None:
    confidence = report.spec.fault.confidence_percent
    required = policy.spec.evidence.min_confidence_percent
    if confidence is None or confidence >= required:
        return None
    return Refuse(
        Reason.TOO_LITTLE_EVIDENCE,
        f"the diagnosis has a confidence of {confidence} %; policy {policy_key(policy)} requires "
        f"{required} %",
    )


def _outside_window(policy: RemediationPolicy, now: datetime) -> Refuse | None:
    spec = policy.spec
    if spec.mode is Mode.OBSERVE or is_open(spec.windows, now):
        return None
    message = outside_windows_message(policy_key(policy), spec.windows)
    if spec.outside_windows is OutsideWindows.REFUSE:
        return Refuse(Reason.OUTSIDE_WINDOW, message)
    return Refuse(Reason.OUTSIDE_WINDOW, message, next_opening(spec.windows, now))


def _no_capacity(case: AdmissionInput, policy: RemediationPolicy, now: datetime) -> Refuse | None:
    report, storm = case.report, case.storm
    request = BudgetRequest(
        report.metadata.namespace,
        report.spec.target,
        policy_key(policy),
        policy.spec.budgets,
        case.workloads,
    )
    if refusal := target_locked(case.remediations, request, now):
        return Refuse(*refusal)
    if storm.handled_by:
        return Refuse(
            Reason.SAME_CAUSE,
            f"{storm.reports} reports at once; report {storm.handled_by} is acted on first: it "
            f"has the same cause ({storm.cause})",
            now + RETRY_INTERVAL,
        )
    if refusal := exceeded_budget(case.remediations, request, case.limits, now):
        return Refuse(*refusal)
    if storm.active and sum(info.active for info in case.remediations) >= storm.max_concurrent:
        return Refuse(
            Reason.REPORT_STORM,
            f"{storm.reports} reports at once; {storm.max_concurrent} are acted on at a time, the "
            "most severe first",
            now + RETRY_INTERVAL,
        )
    return None


def new_remediation(
    report: DiagnosisReport,
    policy: RemediationPolicy,
    name: str,
    chosen: ChosenProbes,
    remediations: Sequence[RemediationInfo],
    now: datetime,
) -> Remediation:
    """Return the remediation that a report becomes under a policy, as it is created."""
    meta = report.metadata
    failures = failures_in_a_row(remediations, meta.namespace, report.spec.target, now)
    # Not owned by the report: the record outlives a report that is deleted.
    # The finalizer is there from the start: no run can outlive its clean-up.
    metadata = ObjectMeta.model_validate(
        {
            "name": name,
            "namespace": meta.namespace,
            "finalizers": [FINALIZER],
            "annotations": {FAILURES_ANNOTATION: str(failures)},
            "labels": {
                MANAGED_BY_LABEL: "reme",
                REPORT_UID_LABEL: meta.uid,
                REPORT_NAME_LABEL: label_value(meta.name),
            },
        }
    )
    return Remediation(
        metadata=metadata,
        spec=RemediationSpec(
            report_ref=ReportReference(name=meta.name, uid=meta.uid, generation=meta.generation),
            target=report.spec.target,
            fault=report.spec.fault,
            follow_up_of=report.spec.follow_up_of if parent_of(report, remediations) else None,
            probes=list(chosen.probes),
            coverage=chosen.coverage,
            policy=PolicySnapshot(
                name=policy.metadata.name,
                namespace=policy.metadata.namespace,
                uid=policy.metadata.uid,
                generation=policy.metadata.generation,
                spec=policy.spec,
            ),
        ),
    )
