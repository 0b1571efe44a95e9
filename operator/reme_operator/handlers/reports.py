"""DiagnosisReports and RemediationPolicies: onto the desk, whatever happened to them."""

from typing import Any

import kopf
import structlog

from reme_api.base import GROUP, VERSION
from reme_api.diagnosis_report import DiagnosisReport
from reme_api.policy import RemediationPolicy
from reme_operator.admission.policy_parsing import parse_policy
from reme_operator.admission.policy_selection import UnreadablePolicy
from reme_operator.handlers.context import OperatorContext, parse_object
from reme_operator.handlers.policies import report_unreadable_policy, update_policy_statuses

_log = structlog.get_logger(__name__)


def register(registry: kopf.OperatorRegistry, context: OperatorContext) -> None:
    """Add the handlers of reports and of policies."""

    @kopf.on.event(GROUP, VERSION, DiagnosisReport.PLURAL, registry=registry, id="report-seen")
    async def report_seen(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002
        uid = str(body["metadata"]["uid"])
        going = type == "DELETED" or body["metadata"].get("deletionTimestamp") is not None
        if going:
            context.controller.drop(uid)
            context.notifiers.notify_report(uid, gone=True)
            return
        if report := parse_object(DiagnosisReport, dict(body)):
            context.controller.put(report)
            context.notifiers.notify_report(uid)

    @kopf.on.event(GROUP, VERSION, RemediationPolicy.PLURAL, registry=registry, id="policy-seen")
    async def policy_seen(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002
        uid = str(body["metadata"]["uid"])
        if type == "DELETED":
            context.controller.drop_policy(uid)
            await update_policy_statuses(context, str(body["metadata"].get("namespace", "")))
            return
        policy = parse_policy(dict(body))
        if isinstance(policy, UnreadablePolicy):
            _log.warning("policy.unreadable", name=policy.name, problem=policy.problem)
            context.deps.metrics.object_unreadable(RemediationPolicy.KIND)
            context.controller.put_unreadable(uid, policy)
            await report_unreadable_policy(context, dict(body), policy.problem)
            return
        context.controller.put_policy(policy)
        # What it says of others beside it may have changed as well.
        await update_policy_statuses(context, policy.metadata.namespace)
