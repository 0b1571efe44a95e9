"""The runner's side: installs the agents, and commands the one on the node of each target.

Everything goes through the API server's pod proxy, so the runner needs no way into the cluster's
network, and the agents no way out of it.
"""

import asyncio
import base64
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reme_benchmark.injection.agent_manifest import manifest, secret
from reme_benchmark.injection.specs import Fault, Target
from reme_kube.errors import AlreadyExistsError, ClusterError, NotFoundError
from reme_kube.http_client import ApiClient

NAMESPACE = "reme-faults"
_NAME = "fault-agent"
_PORT = 8090
_NAMESPACE = f"/api/v1/namespaces/{NAMESPACE}"
_PODS = f"{_NAMESPACE}/pods"
_SECRETS = f"{_NAMESPACE}/secrets"
_DAEMON_SETS = f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets"
_READY_SECONDS = 90.0
_POLL_SECONDS = 0.3
Object = dict[str, Any]


class AgentsError(Exception):
    """The agents are not there, or do not come up; the message says what is known of them."""


@dataclass(frozen=True, slots=True)
class Injected:
    """What an agent says of a fault that it has put in."""

    id: str
    ends_at: int
    milliseconds: float
    effect: Mapping[str, Any]


class FaultAgents:
    """The agents of one cluster.

    A command ends with a ClusterError of the API server's kind: NotFoundError when the container is
    gone, ConflictError when it has such a fault already, InvalidError when the node cannot do it.
    """

    def __init__(self, api: ApiClient, *, image: str = "") -> None:
        self._api = api
        self._image = image
        self._token = ""

    async def install(self) -> None:
        """Bring the agents up, or to what this version wants, and wait until all of them answer.

        Raises:
            AgentsError: they do not come up in their time.

        """
        namespace, daemon_set = manifest(self._image)
        await self._gone(ending=True)
        await self._ensure("/api/v1/namespaces", namespace)
        await self._ensure(_SECRETS, await self._secret())
        self._token = ""  # the one that is there holds, whoever made it
        await self._api.patch(
            f"{_DAEMON_SETS}/{_NAME}",
            daemon_set,
            params={"fieldManager": "reme-benchmark", "force": "true"},
            content_type="application/apply-patch+yaml",
        )
        loop = asyncio.get_running_loop()
        until = loop.time() + _READY_SECONDS
        while not await self.ready():
            if loop.time() > until:
                raise AgentsError(f"the fault agents are not ready: {await self._why()}")
            await asyncio.sleep(_POLL_SECONDS)

    async def ready(self) -> bool:
        """Return whether an agent answers on every node that should have one."""
        try:
            found = await self._api.get(f"{_DAEMON_SETS}/{_NAME}")
        except NotFoundError:
            return False
        status = found.get("status", {})
        wanted = status.get("desiredNumberScheduled", 0)
        if status.get("observedGeneration") != found["metadata"]["generation"] or not wanted:
            return False
        if any(status.get(key) != wanted for key in ("numberReady", "updatedNumberScheduled")):
            return False
        try:
            await self._everywhere("ping", {})  # looking for faults would cost the node far more
        except (ClusterError, AgentsError):
            return False
        return True

    async def uninstall(self) -> None:
        """Take the agents away, and wait until they are. Faults are to be swept before."""
        with contextlib.suppress(NotFoundError):
            await self._api.delete(_NAMESPACE)
        await self._gone()

    async def _gone(self, *, ending: bool = False) -> None:
        """Wait until the namespace is gone; with `ending` only if it is about to go."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _READY_SECONDS
        while loop.time() < until:
            try:
                found = await self._api.get(_NAMESPACE)
            except NotFoundError:
                return
            if ending and "deletionTimestamp" not in found["metadata"]:
                return
            await asyncio.sleep(_POLL_SECONDS)
        raise AgentsError(f"namespace {NAMESPACE} does not go")

    async def target(self, namespace: str, pod: str, container: str = "") -> Target:
        """Return a container of a pod, the first when none is named, as a target.

        Raises:
            NotFoundError: there is no such pod, or the container does not run.

        """
        found = await self._api.get(f"/api/v1/namespaces/{namespace}/pods/{pod}")
        return target_in(found, container)

    async def inject(self, fault: Fault) -> Injected:
        """Put a fault into its container; repeating it changes nothing."""
        node = await self._node(fault.target)
        said = await self._ask(await self._agent(node), "inject", {"fault": fault.to_json()})
        milliseconds = float(said.get("milliseconds", 0.0))
        return Injected(said["id"], said["ends_at"], milliseconds, said.get("effect") or {})

    async def remove(self, fault: Fault | str) -> bool:
        """Take a fault out, wherever it is; return whether it was still there."""
        fault_id = fault if isinstance(fault, str) else fault.id
        answers = await self._everywhere("remove", {"id": fault_id})
        return any(answer["removed"] for answer in answers)

    async def sweep(self, owner: str = "") -> list[str]:
        """Take out every fault, or those of one owner; return their ids."""
        answers = await self._everywhere("sweep", {"owner": owner})
        return sorted({found for answer in answers for found in answer["removed"]})

    async def active(self) -> list[Object]:
        """Return what is on the nodes, by fault: mark and traces, read from the system."""
        answers = await self._everywhere("active", {})
        return [fault for answer in answers for fault in answer["faults"]]

    async def able(self) -> Object:
        """Return what every node can do: loss, delay, netem, disk; and the cgroup_version."""
        first, *rest = await self._everywhere("able", {})
        for other in rest:
            for key, value in other.items():
                first[key] = min(first[key], value)
        return first

    async def usage(self, target: Target, seconds: float = 1.0) -> Object:
        """Return CPU, throttling and memory of a container, averaged over so many seconds."""
        return await self._measure(target, "usage", {"seconds": seconds})

    async def disk(
        self,
        target: Target,
        folder: str,
        *,
        size: int = 4 * 1024 * 1024,
        seconds: float = 5.0,
        direct: bool = True,
    ) -> Object:
        """Write into a folder of a container, as the container, and return how fast that went."""
        body = {"folder": folder, "bytes": size, "seconds": seconds, "direct": direct}
        return await self._measure(target, "disk", body)

    async def network(
        self, target: Target, to: str, *, count: int = 5, timeout_seconds: float = 2.0
    ) -> Object:
        """Connect from a pod's network to host:port, or ask a URL, so many times.

        Faults that spare the node's address do not show on a connection to the node.
        """
        body = {"target": to, "count": count, "timeout": timeout_seconds}
        return await self._measure(target, "network", body)

    async def _measure(self, target: Target, command: str, body: Object) -> Object:
        agent = await self._agent(await self._node(target))
        return await self._ask(agent, command, {"container_id": target.container_id, **body})

    async def _node(self, target: Target) -> str:
        pod = await self._api.get(f"/api/v1/namespaces/{target.namespace}/pods/{target.pod}")
        return str(pod["spec"].get("nodeName", ""))

    async def _agents(self) -> list[Object]:
        """Return the agents' pods that run; those that end are replaced."""
        labels = {"labelSelector": f"app={_NAME}"}
        return [
            pod
            async for pod in self._api.list_items(_PODS, labels)
            if pod.get("status", {}).get("phase") == "Running"
            and "deletionTimestamp" not in pod["metadata"]
        ]

    async def _agent(self, node: str) -> str:
        for pod in await self._agents():
            if pod["spec"].get("nodeName") == node:
                return str(pod["metadata"]["name"])
        raise AgentsError(f"no fault agent runs on node {node or '(none yet)'}")

    async def _everywhere(self, command: str, body: Object) -> list[Object]:
        pods = await self._agents()
        if not pods:
            raise AgentsError("no fault agent runs")
        names = [str(pod["metadata"]["name"]) for pod in pods]
        return await asyncio.gather(*(self._ask(name, command, body) for name in names))

    async def _ask(self, pod: str, command: str, body: Object) -> Object:
        path = f"{_PODS}/http:{pod}:{_PORT}/proxy/{command}"
        return await self._api.create(path, {**body, "token": await self._key()})

    async def _key(self) -> str:
        if not self._token:
            secret = await self._api.get(f"{_SECRETS}/{_NAME}")
            self._token = base64.b64decode(secret["data"]["token"]).decode()
        return self._token

    async def _secret(self) -> Object:
        """Return a new secret; the cluster's own mark is the identity of kube-system."""
        system = await self._api.get("/api/v1/namespaces/kube-system")
        return secret(NAMESPACE, _NAME, str(system["metadata"]["uid"]).replace("-", "")[:8])

    async def _ensure(self, collection: str, body: Object) -> None:
        try:
            await self._api.create(collection, body)
        except AlreadyExistsError:
            return

    async def _why(self) -> str:
        states = []
        async for pod in self._api.list_items(_PODS, {"labelSelector": f"app={_NAME}"}):
            status = pod.get("status", {})
            said: list[str] = [
                str(detail.get("message") or detail.get("reason") or "")
                for state in status.get("containerStatuses") or ()
                for detail in state.get("state", {}).values()
            ]
            states.append(f"{pod['metadata']['name']}: {status.get('phase')} {' '.join(said)}")
        return "; ".join(states)[:500] or "no pod was made for them"


def target_in(pod: Mapping[str, Any], container: str = "") -> Target:
    """Return a container of a pod that was read, the first when none is named.

    Raises:
        NotFoundError: it does not run.

    """
    name, status = pod["metadata"]["name"], pod.get("status", {})
    wanted = container or pod["spec"]["containers"][0]["name"]
    for state in status.get("containerStatuses") or ():
        if state["name"] == wanted and "running" in state.get("state", {}):
            return Target(
                namespace=pod["metadata"]["namespace"],
                pod=name,
                container_id=state["containerID"].rpartition("//")[2],
                node_address=status.get("hostIP", ""),
            )
    raise NotFoundError(f"container {wanted} of pod {name} does not run")
