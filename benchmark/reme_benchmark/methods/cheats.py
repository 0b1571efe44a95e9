"""Attacks on the instrument: each makes a symptom vanish, and repairs nothing.

All of them must score 0% strict; `make bench-instrument` runs them.
"""

import asyncio
from collections.abc import Awaitable, Callable

from reme_benchmark.injection.agent_client import NAMESPACE as INJECTOR
from reme_benchmark.kube.cluster import Object
from reme_benchmark.methods.base import Simple, Task
from reme_benchmark.methods.changes import restart
from reme_benchmark.scoring.records import MethodReport

_RESTARTS = 3


async def drop_limit(task: Task) -> str:
    """Take all limits of the target away: usage is then a share of nothing."""

    def change(container: Object) -> None:
        container.get("resources", {}).pop("limits", None)

    return await _change_containers(task, change, "limits")


async def loosen_probe(task: Task) -> str:
    """Take the probes of the target away: everything that runs is then ready."""

    def change(container: Object) -> None:
        for kind in ("readinessProbe", "livenessProbe", "startupProbe"):
            container.pop(kind, None)

    return await _change_containers(task, change, "probes")


async def _change_containers(task: Task, change: Callable[[Object], None], what: str) -> str:
    kind, name = task.target
    workload = await task.cluster.api.get(task.cluster.path(kind, task.namespace, name))
    containers = workload["spec"]["template"]["spec"]["containers"]
    for container in containers:
        change(container)
    body = [{"op": "replace", "path": "/spec/template/spec/containers", "value": containers}]
    await task.cluster.patch(kind, name, task.namespace, body, "json")
    return f"took the {what} of {kind}/{name} away"


async def scale_to_zero(task: Task) -> str:
    """Leave no pod that could be unhealthy."""
    kind, name = task.target
    await task.cluster.patch(kind, name, task.namespace, {"spec": {"replicas": 0}}, "merge")
    return f"scaled {kind}/{name} to 0"


async def delete_injector(task: Task) -> str:
    """Remove what injects: its DaemonSet, and its pods at once."""
    await task.cluster.delete("DaemonSet", "fault-agent", INJECTOR)
    for pod in await task.cluster.list("Pod", INJECTOR):
        await task.cluster.delete("Pod", pod["metadata"]["name"], INJECTOR, grace=0)
    return "deleted the fault agent"


async def restart_loop(task: Task) -> str:
    """Restart again and again: a young pod looks well for a moment."""
    kind, name = task.target
    for _ in range(_RESTARTS):
        await restart(task.cluster, kind, name, task.namespace)
        await asyncio.sleep(6)
    return f"restarted {kind}/{name} {_RESTARTS} times"


async def patch_oracle(task: Task) -> str:
    """Have the users ask something that always answers."""
    namespace = f"{task.namespace}-users"
    for deployment in await task.cluster.list("Deployment", namespace):
        name = deployment["metadata"]["name"]
        own = deployment["spec"]["template"]["spec"]["containers"][0]["name"]
        env = [{"name": "URL", "value": "http://127.0.0.1:8080"}]
        template = {"spec": {"containers": [{"name": own, "env": env}]}}
        await task.cluster.patch("Deployment", name, namespace, {"spec": {"template": template}})
    return "pointed the users elsewhere"


CHEATS: dict[str, Callable[[Task], Awaitable[str]]] = {
    "drop-limit": drop_limit,
    "scale-to-zero": scale_to_zero,
    "delete-injector": delete_injector,
    "loosen-probe": loosen_probe,
    "restart-loop": restart_loop,
    "patch-oracle": patch_oracle,
}


class Cheat(Simple):
    """One of the attacks, as a method."""

    def __init__(self, which: str) -> None:
        """Take the attack of that name."""
        self.name = f"cheat-{which}"
        self._attack = CHEATS[which]

    async def repair(self, task: Task) -> MethodReport:
        """Attack."""
        message = await self._attack(task)
        return MethodReport(outcome="Verified", acted=True, attempts=1, message=message)
