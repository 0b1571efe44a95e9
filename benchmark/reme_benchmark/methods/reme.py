"""reme itself: the report is created, its remediation is followed to its outcome."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

from reme_api.actions import ActionName
from reme_api.reasons import Step
from reme_api.remediation import Attempt, Remediation
from reme_benchmark.kube.cluster import Cluster, Object
from reme_benchmark.methods.base import MethodError, Simple, Task
from reme_benchmark.scoring.records import MethodReport, ModelExchange
from reme_kube.errors import NotFoundError

POLICY = "benchmark"


def policy(namespace: str, **spec: Any) -> Object:
    """Return the limits under which reme is measured: every action, two attempts, by itself."""
    base: dict[str, Any] = {
        "mode": "Auto",
        "maxAttempts": 2,
        "actions": [{"name": name.value} for name in ActionName],
        "budgets": {"cooldownSeconds": 0, "maxConcurrent": 4, "maxPerHour": 1000},
        # Half of the packets of a lossy network are lost, and yet a probe passes now and then: two
        # that pass say nothing. One that fails ends the baseline, so only a healthy system waits.
        "verification": {"windowSeconds": 6, "timeoutSeconds": 60, "baselineSamples": 10},
        "historyLimit": 1000,
    }
    return {
        "apiVersion": "reme.dev/v1alpha1",
        "kind": "RemediationPolicy",
        "metadata": {"name": POLICY, "namespace": namespace},
        "spec": base | spec,
    }


class Reme(Simple):
    """The installed reme, with whatever model it is installed with."""

    name = "reme"

    def __init__(self, **policy_spec: Any) -> None:
        """Take what the policy says other than the usual."""
        self._spec = policy_spec
        self._cluster: Cluster | None = None
        self._namespaces: tuple[str, ...] = ()

    @property
    def options(self) -> dict[str, Any]:
        """Return what the policy says other than the usual."""
        return dict(self._spec)

    async def prepare(self, cluster: Cluster, namespaces: tuple[str, ...]) -> None:
        """Set the policy in every system's namespace.

        Raises:
            MethodError: reme is not installed, or its operator does not run.
        """
        hint = "install it first: make install"
        try:
            operators = [
                deployment
                for deployment in await cluster.list("Deployment")
                if deployment["metadata"].get("labels", {}).get("app.kubernetes.io/part-of")
                == "reme"
                and deployment["metadata"]["labels"].get("app.kubernetes.io/component")
                == "operator"
            ]
            await cluster.list("Remediation")
        except NotFoundError as error:
            raise MethodError(f"reme is not installed in this cluster; {hint}") from error
        if not any(o.get("status", {}).get("availableReplicas") for o in operators):
            raise MethodError(f"no operator of reme is available; {hint}")
        self._cluster, self._namespaces = cluster, namespaces
        for namespace in namespaces:
            await cluster.delete("RemediationPolicy", POLICY, namespace)
            await cluster.apply([policy(namespace, **self._spec)])

    async def close(self) -> None:
        """Remove the policies."""
        if self._cluster is not None:
            for namespace in self._namespaces:
                await self._cluster.delete("RemediationPolicy", POLICY, namespace)

    async def repair(self, task: Task) -> MethodReport:
        """Create the report and follow it to the end, or cancel its remediations at the deadline.

        The end is that of the report's own remediation and of those that it led to.
        """
        created = await task.cluster.create(task.report)
        name = str(created["metadata"]["name"])
        until = time.monotonic() + task.deadline_seconds
        linked: list[Remediation] = []
        while time.monotonic() < until:
            items = await task.cluster.list("Remediation", task.namespace)
            linked = linked_remediations(items, created["metadata"]["uid"])
            if linked and all(one.status.outcome is not None for one in linked):
                return await reported(task.cluster, *linked)
            refused = await _refused(task.cluster, task.namespace, name)
            if refused and not linked:
                return MethodReport(outcome="NotAccepted", message=refused)
            await asyncio.sleep(0.4)
        for one in linked:
            if one.status.outcome is None:
                cancel = {"spec": {"cancel": True}}
                meta = one.metadata
                await task.cluster.patch("Remediation", meta.name, task.namespace, cancel, "merge")
        return MethodReport(
            outcome="TimedOut",
            acted=any(a.run for one in linked for a in one.status.attempts),
            error=f"no outcome within {task.deadline_seconds:.0f} s",
        )


class ThinkRemedReme(Reme):
    """The installed reme with method ThinkRemed; a fault of another workload is followed."""

    name = "reme-thinkremed"

    def __init__(self, **policy_spec: Any) -> None:
        """Take what the policy says other than the usual."""
        super().__init__(**policy_spec, method="ThinkRemed")


class DryRunReme(Reme):
    """The installed reme in the mode `Observe`: what its model would do, and nothing is done.

    Quick, as nothing has to be waited for; what it was asked can be put to other models later.
    """

    name = "ask"
    acts = False

    def __init__(self) -> None:
        """Ask once."""
        super().__init__(mode="Observe", maxAttempts=1)


def linked_remediations(items: Sequence[Object], report_uid: str) -> list[Remediation]:
    """Return the newest remediation of a report, and those of the causes that it led to."""
    remediations = sorted(
        (Remediation.model_validate(item) for item in items), key=lambda r: r.metadata.name
    )
    linked = [r for r in remediations if r.spec.report_ref.uid == report_uid][-1:]
    for one in linked:  # it grows with what each of them led to
        linked += [
            r
            for r in remediations
            if r.spec.follow_up_of is not None and r.spec.follow_up_of.uid == one.metadata.uid
        ]
    return linked


async def _refused(cluster: Cluster, namespace: str, report: str) -> str:
    report_object = await cluster.get("DiagnosisReport", report, namespace) or {}
    for condition in report_object.get("status", {}).get("conditions", []):
        if condition["type"] == "Accepted" and condition["status"] == "False":
            return f"{condition['reason']}: {condition['message']}"
    return ""


async def reported(cluster: Cluster, ended: Remediation, *of_causes: Remediation) -> MethodReport:
    """Return what the records say: of a remediation, and of those of the causes that it led to."""
    report = MethodReport(
        outcome=str(ended.status.outcome),
        message=ended.status.message,
        follow_ups=len(of_causes),
    )
    for one in (ended, *of_causes):
        await _add(cluster, one, report)
    if of_causes:  # that time is the time of their steps
        report.steps.pop(Step.FOLLOW_CAUSE, None)
    return report


async def _add(cluster: Cluster, ended: Remediation, report: MethodReport) -> None:
    """Add what the record of one remediation says to the report."""
    status, namespace = ended.status, ended.metadata.namespace
    for timing in [*status.timings, *(t for a in status.attempts for t in a.timings)]:
        seconds = timing.duration_milliseconds / 1000
        report.steps[timing.step] = report.steps.get(timing.step, 0) + seconds
    for attempt in status.attempts:
        report.exchanges += await model_exchanges(cluster, namespace, attempt)
        if made := attempt.generation:
            report.tokens.prompt += made.prompt_tokens
            report.tokens.completion += made.completion_tokens
            report.model = made.model_digest or made.model or report.model
        for entry in attempt.investigation:
            report.tokens.prompt += entry.prompt_tokens
            report.tokens.completion += entry.completion_tokens
            report.inspections += len(entry.inspections)
        report.rounds += len(attempt.investigation)
        report.rejected += attempt.rejection is not None
        if attempt.playbook is not None:
            artifact = await cluster.get("ConfigMap", attempt.playbook.name, namespace)
            report.playbooks.append((artifact or {}).get("data", {}).get(attempt.playbook.key, ""))
    report.attempts += len(status.attempts)
    report.acted = report.acted or any(a.run is not None for a in status.attempts)
    changes = (c for a in status.attempts for c in a.changes)
    lines = [f"{c.kind}/{c.object_name} {c.field}: {c.before} -> {c.after}" for c in changes]
    report.diff = "\n".join(filter(None, [report.diff, *lines]))


async def model_exchanges(
    cluster: Cluster, namespace: str, attempt: Attempt
) -> list[ModelExchange]:
    """Return the prompt of an attempt and its reply, as far as they are stored."""
    made, contents = attempt.generation, []
    for ref in (made.prompt, made.reply) if made else ():
        config_map = await cluster.get("ConfigMap", ref.name, namespace) if ref else None
        contents.append(
            json.loads((config_map or {}).get("data", {}).get(ref.key, "{}") if ref else "{}")
        )
    if not contents or "messages" not in contents[0]:
        return []
    prompt, reply = contents
    text = reply.get("text", "")
    return [ModelExchange(messages=prompt["messages"], reply_schema=prompt["schema"], reply=text)]
