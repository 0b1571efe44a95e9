"""DiagnosisReports and RemediationPolicies: onto the desk, whatever happened to them."""

from typing import Any

import kopf
import structlog

from reme_api.base import GROUP, VERSION
from reme_api.diagnosis_report import DiagnosisReport
from reme_api.policy import RemediationPolicy
from reme_operator.admission.policy_parsing import understood
from reme_operator.admission.policy_selection import Unreadable
from reme_operator.handlers.context import Office, parsed
from reme_operator.handlers.policies import judge_all, judge_unreadable

_log = structlog.get_logger(__name__)


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
            await judge_all(office, str(body["metadata"].get("namespace", "")))
            return
        policy = understood(dict(body))
        if isinstance(policy, Unreadable):
            _log.warning("policy.unreadable", name=policy.name, problem=policy.problem)
            office.tools.metrics.object_unreadable(RemediationPolicy.KIND)
            office.desk.put_unreadable(uid, policy)
            await judge_unreadable(office, dict(body), policy.problem)
            return
        office.desk.put_policy(policy)
        # What it says of others beside it may have changed as well.
        await judge_all(office, policy.metadata.namespace)
