"""DiagnosisReports and RemediationPolicies: onto the desk, whatever happened to them."""

from typing import Any

import kopf

from reme_api.base import GROUP, VERSION
from reme_api.diagnosis_report import DiagnosisReport
from reme_api.policy import RemediationPolicy
from reme_operator.handlers.office import Office, parsed
from reme_operator.handlers.policies import judge


def register(registry: kopf.OperatorRegistry, office: Office) -> None:
    """Add the handlers of reports and of policies."""

    @kopf.on.event(GROUP, VERSION, DiagnosisReport.PLURAL, registry=registry, id="report-seen")
    async def report_seen(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002
        uid = str(body["metadata"]["uid"])
        going = type == "DELETED" or body["metadata"].get("deletionTimestamp") is not None
        if going:
            office.desk.drop(uid)
            office.signals.notify_report(uid, gone=True)
            return
        if report := parsed(DiagnosisReport, dict(body)):
            office.desk.put(report)
            office.signals.notify_report(uid)

    @kopf.on.event(GROUP, VERSION, RemediationPolicy.PLURAL, registry=registry, id="policy-seen")
    async def policy_seen(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002
        uid = str(body["metadata"]["uid"])
        if type == "DELETED":
            office.desk.drop_policy(uid)
            return
        if policy := parsed(RemediationPolicy, dict(body)):
            office.desk.put_policy(policy)
            await judge(office, policy)
