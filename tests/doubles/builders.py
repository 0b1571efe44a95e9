"""Objects of the API with sensible contents, so that a test names only what it is about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from reme_api.actions import ActionName
from reme_api.approval import Approval, Plan, RollbackRequest
from reme_api.base import ArtifactReference, ObjectMeta
from reme_api.diagnosis_report import DiagnosisReport, DiagnosisReportSpec, Fault, Target
from reme_api.policy import ActionRule, RemediationPolicy, RemediationPolicySpec
from reme_api.probes import (
    HttpProbe,
    NeighbourHealth,
    Probe,
    ProbeResult,
    ProbeVerdict,
    ProbeWindow,
)
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import (
    ActionRecord,
    Attempt,
    Generation,
    PolicySnapshot,
    Remediation,
    RemediationSpec,
    RemediationStatus,
    ReportReference,
    Run,
)

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
RELEASE = "reme-system"
DIGEST = "sha256:" + "a" * 64
PLAN_DIGEST = "sha256:" + "b" * 64
UID = "0a1b2c3d-0000-0000-0000-000000000000"
REPORT_UID = "9f8e7d6c-0000-0000-0000-000000000000"


def later(seconds: float) -> datetime:
    """Return a moment after NOW."""
    return NOW + timedelta(seconds=seconds)


def text(name: str = "text") -> ArtifactReference:
    """Return a reference to a kept text."""
    return ArtifactReference(name=name, key="text", digest=DIGEST)


def probe(name: str = "answers") -> Probe:
    """Return an HTTP probe."""
    return Probe(name=name, http=HttpProbe(service="cart", port=8080))


def policy_spec(**fields: Any) -> RemediationPolicySpec:
    """Return a policy that lets everything run by itself."""
    base: dict[str, Any] = {
        "mode": "Auto",
        "actions": [ActionRule(name=name) for name in ActionName],
    }
    return RemediationPolicySpec.model_validate(base | fields)


def policy(name: str = "usual", namespace: str = "shop", **fields: Any) -> RemediationPolicy:
    """Return a policy object."""
    return RemediationPolicy(
        metadata=ObjectMeta(
            name=name, namespace=namespace, uid=f"{namespace}/{name}", generation=1
        ),
        spec=policy_spec(**fields),
    )


def report(name: str = "cart-down", namespace: str = "shop", **fields: Any) -> DiagnosisReport:
    """Return a report about Deployment cart."""
    meta: dict[str, Any] = {
        "name": name,
        "namespace": namespace,
        "uid": fields.pop("uid", REPORT_UID),
        "generation": fields.pop("generation", 1),
        "resource_version": "1",
        "creation_timestamp": NOW,
    }
    status = fields.pop("status", {})
    base: dict[str, Any] = {
        "target": Target.model_validate({"kind": "Deployment", "name": "cart"}),
        "fault": Fault(type="bad-rollout"),
    }
    return DiagnosisReport.model_validate(
        {
            "metadata": ObjectMeta(**meta),
            "spec": DiagnosisReportSpec.model_validate(base | fields),
            "status": status,
        }
    )


def remediation(
    *attempts: Attempt,
    baseline: ProbeVerdict | None = ProbeVerdict.FAILED,
    measured: datetime = NOW,
    started: bool = True,
    outcome: Outcome | None = None,
    suspend: bool = False,
    cancel: bool = False,
    approval: Approval | None = None,
    rollback_request: RollbackRequest | None = None,
    deleting: bool = False,
    name: str = "cart-down-12345678",
    uid: str = UID,
    **policy_fields: Any,
) -> Remediation:
    """Return a remediation that has come as far as its attempts say."""
    return Remediation(
        metadata=ObjectMeta(
            name=name,
            namespace="shop",
            uid=uid,
            generation=1,
            resource_version="1",
            creation_timestamp=NOW,
            deletion_timestamp=NOW if deleting else None,
        ),
        spec=RemediationSpec(
            report_ref=ReportReference(name="cart-down", uid=REPORT_UID),
            target=Target.model_validate({"kind": "Deployment", "name": "cart"}),
            fault=Fault(type="bad-rollout"),
            probes=[probe()],
            policy=PolicySnapshot(
                name="usual", namespace="shop", spec=policy_spec(**policy_fields)
            ),
            suspend=suspend,
            cancel=cancel,
            approval=approval,
            rollback=rollback_request,
        ),
        status=RemediationStatus(
            start_time=NOW if started else None,
            baseline=window(baseline, start=measured) if started and baseline else None,
            attempts=list(attempts),
            outcome=outcome,
        ),
    )


def window(
    verdict: ProbeVerdict | None = ProbeVerdict.PASSED,
    *,
    start: datetime = NOW,
    neighbours: list[NeighbourHealth] | None = None,
) -> ProbeWindow:
    """Return a window with that verdict, or one that is still open."""
    if verdict is None:
        return ProbeWindow(start_time=start)
    return ProbeWindow(
        start_time=start,
        completion_time=start,
        verdict=verdict,
        probes=[ProbeResult(name="answers", verdict=verdict)],
        neighbours=neighbours or [],
        message=f"it {verdict}",
    )


def run(
    reason: Reason | None = None,
    *,
    uid: str = "job-uid",
    clean: bool = False,
    rollback: bool = False,
    created: datetime = NOW,
) -> Run:
    """Return the record of a run."""
    return Run(
        name=f"reme-{UID[:8]}-1{'-rollback' if rollback else ''}",
        namespace=RELEASE,
        uid=uid,
        created_time=created,
        reason=reason,
        cleaned_up=clean,
    )


def attempt(number: int = 1, **fields: Any) -> Attempt:
    """Return an attempt that has only begun."""
    return Attempt(number=number, start_time=NOW, **fields)


def generated(number: int = 1, *, abstained: str = "", **fields: Any) -> Attempt:
    """Return an attempt whose reply is there."""
    generation = Generation(prompt=text("prompt"), reply=text("reply"), abstention_reason=abstained)
    return attempt(number, generation=generation, **fields)


def validated_attempt(number: int = 1, **fields: Any) -> Attempt:
    """Return an attempt whose playbook may run."""
    action = ActionRecord(
        name=ActionName.RESTART, kind="Deployment", object_name="cart", summary="restart cart"
    )
    base: dict[str, Any] = {"playbook": text("playbook"), "actions": [action]}
    return generated(number, **(base | fields))


def plan(*, complete: bool = True, clean: bool = False, created: datetime = NOW) -> Plan:
    """Return the record of a dry run, with its rights in force unless it is clean."""
    return Plan(
        name=f"reme-{UID[:8]}-1",
        namespace=RELEASE,
        created_time=created,
        completion_time=created if complete else None,
        digest=PLAN_DIGEST if complete else None,
        cleaned_up=clean,
    )


def planned(number: int = 1, **fields: Any) -> Attempt:
    """Return an attempt whose playbook was planned a moment ago."""
    base: dict[str, Any] = {"plan": plan()}
    return validated_attempt(number, **(base | fields))


def started(number: int = 1, **fields: Any) -> Attempt:
    """Return an attempt whose run is under way."""
    base: dict[str, Any] = {"capture": text("capture"), "run": run()}
    return validated_attempt(number, **(base | fields))


def executed(number: int = 1, ended: Reason = Reason.RUN_SUCCEEDED, **fields: Any) -> Attempt:
    """Return an attempt whose run has ended and was cleaned up."""
    base: dict[str, Any] = {"capture": text("capture"), "run": run(ended, clean=True)}
    return validated_attempt(number, **(base | fields))


def closed(number: int, outcome: Outcome, reason: Reason, **fields: Any) -> Attempt:
    """Return an attempt that has ended."""
    return attempt(
        number, outcome=outcome, reason=reason, message="so it was", completion_time=NOW, **fields
    )


def neighbour(
    name: str, available: int, desired: int = 1, kind: str = "Deployment"
) -> NeighbourHealth:
    """Return the health of a workload."""
    return NeighbourHealth(kind=kind, name=name, desired=desired, available=available)
