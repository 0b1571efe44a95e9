"""Injects a fault as its file describes, waits until it has an effect, and removes it."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Coroutine, Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from reme_api.probes import Probe, ResourceUsageProbe
from reme_benchmark.injection import pod_failure
from reme_benchmark.injection.agent_client import target_in
from reme_benchmark.injection.specs import Fault as AgentFault
from reme_benchmark.kube.cluster import Object
from reme_benchmark.scenarios.faults.model import Agent, Fault, NodeFault, PodFail, Step
from reme_benchmark.scenarios.faults.placeholders import fill, filled
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.fault_effect import field_holds, measure
from reme_kube.errors import ClusterError, NotFoundError
from reme_operator.probes.resource_usage import usage_sample

OWNER = "bench"
_LONGEST_SECONDS = 1200.0
"""After this time the agent removes a fault by itself, should the harness have been killed."""
_FOLLOW_SECONDS = 0.5
_LASTING_SECONDS, _ROLLOUT_SECONDS = 2.0, 8.0
"""How long an effect must last: any effect, and a rollout that is not complete."""
METRICS_SECONDS = 30.0
"""metrics-server averages over its resolution and scrapes once in it: about 15 s here."""
_METRICS_PERIOD_SECONDS = 1.0


class InjectionError(Exception):
    """The fault could not be injected."""


@dataclass
class Injection:
    """One injected fault of a case."""

    context: CaseContext
    fault: Fault
    pod: str = ""  # the pod that has the fault, where that is one pod
    _agent_faults: list[AgentFault] = field(default_factory=list)
    _created: list[tuple[str, str]] = field(default_factory=list)
    _failed_pods: list[str] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def begin(self) -> None:
        """Perform the steps of the fault.

        Raises:
            InjectionError: a step is not possible; earlier steps stay until `end`.
            ClusterError: the API server refused a step.
        """
        first = next(iter(await self._pods(self.context.case.service)), None)
        if first is not None:
            self.pod = str(first["metadata"]["name"])
            self.context.values["node"] = str(first["spec"].get("nodeName", ""))
        self.context.values["pod"] = self.pod
        for step in self.fault.inject:
            await self._perform(step)

    async def end(self) -> None:
        """Remove everything except changed objects of the namespace; may be called again."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        self._tasks.clear()
        await self._stop()

    async def _stop(self) -> None:
        agents, namespace = self.context.agents, self.context.namespace
        while self._agent_faults:
            await agents.remove(self._agent_faults[-1])
            self._agent_faults.pop()
        for pod in self._failed_pods:
            with contextlib.suppress(ClusterError):
                await pod_failure.restore(self.context.cluster, namespace, pod)
        self._failed_pods.clear()
        for kind, name in self._created:
            await self.context.cluster.delete(kind, name, namespace)
        self._created.clear()

    async def _perform(self, step: Step) -> None:
        cluster, namespace = self.context.cluster, self.context.namespace
        if step.patch is not None:
            kind, name = self._filled(step.patch.kind), self._filled(step.patch.name)
            kind = self.context.values["kind"] if kind == "Workload" else kind
            await cluster.patch(
                kind, name, namespace, self._filled(step.patch.body), step.patch.how
            )
        elif step.create is not None:
            body: Object = self._filled(step.create.object)
            body["metadata"]["namespace"] = namespace
            await cluster.create(body)
            self._created.append((body["kind"], body["metadata"]["name"]))
        elif step.agent is not None:
            await self._inject_by_agent(step.agent)
        elif step.pod_fail is not None:
            await self._fail_pod(step.pod_fail)
        elif step.node is not None:
            await self._change_nodes(filled(step.node, self.context.values))
        elif step.delete_pods is not None:
            await self._delete_pods(self._filled(step.delete_pods.service))
        elif step.pause is not None:
            await asyncio.sleep(step.pause.seconds)
        elif step.heal is not None:
            self._start_task(self._heal(step.heal.after_seconds))

    def _filled(self, data: Any) -> Any:
        return fill(data, self.context.values)

    def _start_task(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def _heal(self, after_seconds: float) -> None:
        await asyncio.sleep(after_seconds)
        await self._stop()

    async def _pods(self, service: str) -> list[Object]:
        pods = await self.context.cluster.list("Pod", self.context.namespace, {"app": service})
        alive = [p for p in pods if "deletionTimestamp" not in p["metadata"]]
        return sorted(alive, key=lambda p: str(p["metadata"]["name"]))

    async def _fail_pod(self, step: PodFail) -> None:
        service = self._filled(step.service)
        pods = await self._pods(service)
        if not pods:
            raise InjectionError(f"{service} has no pod")
        name = str(pods[0]["metadata"]["name"])
        self._failed_pods.append(name)
        await pod_failure.replace_images(self.context.cluster, self.context.namespace, name)

    async def _change_nodes(self, step: NodeFault) -> None:
        cluster = self.context.cluster
        for node in await cluster.list("Node"):
            name = node["metadata"]["name"]
            if step.cordon:
                await cluster.patch("Node", name, "", {"spec": {"unschedulable": True}}, "merge")
            if step.taint:
                taints = [*node["spec"].get("taints", []), dict(step.taint)]
                await cluster.patch("Node", name, "", {"spec": {"taints": taints}}, "merge")
        if step.replace_pod:
            await self._delete_pods(self.context.case.service)

    async def _delete_pods(self, service: str) -> None:
        for pod in await self._pods(service):
            name = pod["metadata"]["name"]
            await self.context.cluster.delete("Pod", name, self.context.namespace)

    async def _inject_by_agent(self, step: Agent) -> None:
        service = self._filled(step.service)
        pods = await self._pods(service)
        if not pods:
            raise InjectionError(f"{service} has no pod to inject the fault into")
        await self._inject_into(step, pods[:1])
        if step.follow:
            self._start_task(self._follow(step, service, {target_in(pods[0]).container_id}))

    async def _inject_into(self, step: Agent, pods: Iterable[Object]) -> None:
        for pod in pods:
            target = target_in(pod)
            fault = AgentFault.from_json(
                {
                    "id": secrets.token_hex(5),
                    "owner": OWNER,
                    "target": asdict(target),
                    "spec": {"kind": step.fault, **self._filled(step.options)},
                    "limit_seconds": _LONGEST_SECONDS,
                }
            )
            # Recorded before the request, so that it is removed even when the answer is lost.
            self._agent_faults.append(fault)
            await self.context.agents.inject(fault)

    async def _follow(self, step: Agent, service: str, injected: set[str]) -> None:
        """Inject the fault into every new pod, as long as the cause of the fault exists."""
        while True:
            await asyncio.sleep(_FOLLOW_SECONDS)
            with contextlib.suppress(ClusterError, InjectionError):
                if step.while_field is not None and not await field_holds(
                    step.while_field, self.context
                ):
                    await self._stop()
                    return
                for pod in await self._pods(service):
                    with contextlib.suppress(NotFoundError):  # the container does not run yet
                        container = target_in(pod).container_id
                        if container not in injected:
                            await self._inject_into(step, [pod])
                            injected.add(container)


async def wait_for_effect(context: CaseContext, fault: Fault) -> str | None:
    """Wait until the fault has a lasting effect; return why it has none.

    The checks of the oracle must fail now, or the oracle could not tell that the fault is repaired.
    A rollout that is still in progress also fails its check, so a failing rollout alone must last
    longer.
    """
    until, last = time.monotonic() + fault.bite_seconds, ""
    failing_since: float | None = None
    effect_since: float | None = None  # of an effect other than the rollout
    while True:
        now = time.monotonic()
        measured = await asyncio.gather(*(measure(c, context) for c in fault.oracle.effect))
        pairs = list(zip(fault.oracle.effect, measured, strict=True))
        failing = [check for check, m in pairs if m.ok is False]
        failing_since = (failing_since or now) if failing else None
        lasting = any(check.rollout is None for check in failing)
        effect_since = (effect_since or now) if lasting else None
        if effect_since is not None and now - effect_since >= _LASTING_SECONDS:
            return None
        if failing_since is not None and now - failing_since >= _ROLLOUT_SECONDS:
            return None
        last = "; ".join(f"{m.name} {m.value} {m.message}".strip() for m in measured)
        if now > until:
            return f"no lasting effect within {fault.bite_seconds:.0f} s: {last}"
        await asyncio.sleep(0.7)


async def wait_for_metrics(context: CaseContext, fault: Fault) -> None:
    """Wait until metrics.k8s.io shows what the report's probes measure, at most 30 s.

    Metrics lag behind the fault, and a report before its metrics would be refused as untrue. Faults
    whose probes need no metrics are not waited for.
    """
    probes = [Probe.model_validate(fill(p, context.values)) for p in fault.report.probes]
    usage = [p.resource_usage for p in probes if p.resource_usage is not None]
    until = time.monotonic() + METRICS_SECONDS
    while usage and time.monotonic() < until:
        with contextlib.suppress(ClusterError):
            if await _metrics_show_fault(context, usage):
                return
        await asyncio.sleep(_METRICS_PERIOD_SECONDS)


async def _metrics_show_fault(context: CaseContext, probes: list[ResourceUsageProbe]) -> bool:
    labels = {"app": context.case.service}
    pods, metrics = await asyncio.gather(
        context.cluster.list("Pod", context.namespace, labels),
        context.cluster.list("PodMetrics", context.namespace, labels),
    )
    now = datetime.now(UTC)
    return any(usage_sample(probe, pods, metrics, now).passed is False for probe in probes)
