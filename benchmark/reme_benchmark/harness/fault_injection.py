"""Brings a fault about as its file says, and ends it again, whatever happened in between."""

import asyncio
import contextlib
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from reme_benchmark.injection import pod_failure
from reme_benchmark.injection.agent_client import target_in
from reme_benchmark.injection.specs import Fault as AgentFault
from reme_benchmark.kube.cluster import Object
from reme_benchmark.scenarios.faults.model import Agent, Fault, NodeFault, PodFail, Step
from reme_benchmark.scenarios.faults.placeholders import fill, filled
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.fault_effect import field_holds
from reme_kube.errors import ClusterError, NotFoundError

OWNER = "bench"
_LONGEST_SECONDS = 1200.0
"""A fault ends by itself after this, should the harness die and never be run again."""
_FOLLOW_SECONDS = 0.5


class InjectionError(Exception):
    """The fault could not be brought about."""


@dataclass
class Injection:
    """One fault in one situation, from its beginning to its end."""

    context: CaseContext
    fault: Fault
    pod: str = ""  # into which it was put, where that is one pod
    _agent: list[AgentFault] = field(default_factory=list)
    _created: list[tuple[str, str]] = field(default_factory=list)
    _swapped: list[str] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def begin(self) -> None:
        """Carry out the steps in their order.

        Raises:
            InjectionError: one of them is not possible; what was done until then is not undone.
            ClusterError: the API server refused one of them.
        """
        first = next(iter(await self._pods(self.context.case.service)), None)
        if first is not None:
            self.pod = str(first["metadata"]["name"])
            self.context.values["node"] = str(first["spec"].get("nodeName", ""))
        self.context.values["pod"] = self.pod
        for step in self.fault.inject:
            await self._perform(step)

    async def end(self) -> None:
        """Take everything away that is not an object of the namespace; safe to call again."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        self._tasks.clear()
        await self._stop()

    async def _stop(self) -> None:
        agents, place = self.context.agents, self.context.namespace
        while self._agent:
            await agents.remove(self._agent[-1])
            self._agent.pop()
        for pod in self._swapped:
            with contextlib.suppress(ClusterError):
                await pod_failure.restore(self.context.cluster, place, pod)
        self._swapped.clear()
        for kind, name in self._created:
            await self.context.cluster.delete(kind, name, place)
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
            await self._stress(step.agent)
        elif step.pod_fail is not None:
            await self._swap(step.pod_fail)
        elif step.node is not None:
            await self._refuse(filled(step.node, self.context.values))
        elif step.delete_pods is not None:
            await self._replace_pods(self._filled(step.delete_pods.service))
        elif step.pause is not None:
            await asyncio.sleep(step.pause.seconds)
        elif step.heal is not None:
            self._later(self._heal(step.heal.after_seconds))

    def _filled(self, data: Any) -> Any:
        return fill(data, self.context.values)

    def _later(self, work: Any) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def _heal(self, after_seconds: float) -> None:
        await asyncio.sleep(after_seconds)
        await self._stop()

    async def _pods(self, service: str) -> list[Object]:
        found = await self.context.cluster.list("Pod", self.context.namespace, {"app": service})
        alive = [p for p in found if "deletionTimestamp" not in p["metadata"]]
        return sorted(alive, key=lambda p: str(p["metadata"]["name"]))

    async def _a_pod(self, service: str) -> str:
        pods = await self._pods(service)
        return str(pods[0]["metadata"]["name"]) if pods else ""

    async def _swap(self, step: PodFail) -> None:
        name = await self._a_pod(self._filled(step.service))
        if not name:
            raise InjectionError(f"{step.service} has no pod")
        self._swapped.append(name)
        await pod_failure.replace_images(self.context.cluster, self.context.namespace, name)

    async def _refuse(self, step: NodeFault) -> None:
        cluster = self.context.cluster
        for node in await cluster.list("Node"):
            name = node["metadata"]["name"]
            if step.cordon:
                await cluster.patch("Node", name, "", {"spec": {"unschedulable": True}}, "merge")
            if step.taint:
                taints = [*node["spec"].get("taints", []), dict(step.taint)]
                await cluster.patch("Node", name, "", {"spec": {"taints": taints}}, "merge")
        if step.replace_pod:
            await self._replace_pods(self.context.case.service)

    async def _replace_pods(self, service: str) -> None:
        for pod in await self._pods(service):
            name = pod["metadata"]["name"]
            await self.context.cluster.delete("Pod", name, self.context.namespace)

    async def _stress(self, step: Agent) -> None:
        service = self._filled(step.service)
        pods = await self._pods(service)
        if not pods:
            raise InjectionError(f"{service} has no pod to put the fault into")
        await self._put(step, pods[:1])
        if step.follow:
            self._later(self._follow(step, service, {target_in(pods[0]).container_id}))

    async def _put(self, step: Agent, pods: Iterable[Object]) -> None:
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
            # Noted first: what an answer was lost for is taken out as well.
            self._agent.append(fault)
            await self.context.agents.inject(fault)

    async def _follow(self, step: Agent, service: str, done: set[str]) -> None:
        """Put the fault into every pod that comes after, for as long as its cause is there."""
        while True:
            await asyncio.sleep(_FOLLOW_SECONDS)
            with contextlib.suppress(ClusterError, InjectionError):
                if step.while_field is not None and not await field_holds(
                    step.while_field, self.context
                ):
                    await self._stop()
                    return
                for pod in await self._pods(service):
                    with contextlib.suppress(NotFoundError):  # it does not run yet
                        container = target_in(pod).container_id
                        if container not in done:
                            await self._put(step, [pod])
                            done.add(container)
