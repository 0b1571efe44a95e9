"""Handlers of DiagnosisReports and RemediationPolicies: they feed the admission controller."""

from collections.abc import Mapping
from typing import Any

import kopf

from reme_api.base import GROUP, VERSION
from reme_api.diagnosis_report import DiagnosisReport
from reme_api.policy import RemediationPolicy
from reme_operator.admission.policy_validation import UnreadablePolicy, parse_policy
from reme_operator.handlers.context import OperatorContext
from reme_operator.handlers.policies import update_policy_statuses
from reme_operator.handlers.unreadable import parse_or_report, report_unreadable


def register(registry: kopf.OperatorRegistry, context: OperatorContext) -> None:
    """Add the handlers of reports and of policies."""

    @kopf.on.event(GROUP, VERSION, DiagnosisReport.PLURAL, registry=registry, id="report-event")
    async def on_report(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002
        await report_changed(context, type, dict(body))

    @kopf.on.event(GROUP, VERSION, RemediationPolicy.PLURAL, registry=registry, id="policy-event")
    async def on_policy(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002
        await policy_changed(context, type, dict(body))


async def report_changed(
    context: OperatorContext, event_type: str | None, body: Mapping[str, Any]
) -> None:
    """Queue a report that is new or has changed; drop one that is deleted."""
    uid = str(body["metadata"]["uid"])
    if event_type == "DELETED" or body["metadata"].get("deletionTimestamp") is not None:
        context.controller.drop(uid)
        context.notifiers.wake_for_report(uid, deleted=True)
        return
    if report := await parse_or_report(context, DiagnosisReport, body):
        context.controller.put(report)
        context.notifiers.wake_for_report(uid)
        if report.spec.follow_up_of is not None:  # the remediation that waits for it
            context.notifiers.wake(report.spec.follow_up_of.uid)
    else:
        context.controller.drop(uid)  # what was queued is not what the object says now


async def policy_changed(
    context: OperatorContext, event_type: str | None, body: Mapping[str, Any]
) -> None:
    """Give a policy to the admission controller, and update the policies of its namespace."""
    meta = body["metadata"]
    uid, namespace = str(meta["uid"]), str(meta.get("namespace", ""))
    if event_type == "DELETED":
        context.controller.drop_policy(uid)
        await update_policy_statuses(context, namespace)
        return
    policy = parse_policy(body)
    if isinstance(policy, UnreadablePolicy):
        context.controller.put_unreadable(uid, policy)
        await report_unreadable(context, RemediationPolicy, body, policy.problem)
        return
    context.controller.put_policy(policy)
    await update_policy_statuses(context, namespace)
