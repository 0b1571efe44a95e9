"""Installs the fault agents and sends commands to the agent on the node of each target.

Requests go through the API server's pod proxy, so the benchmark needs no access to the cluster's
network.
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
    """No agent runs, or the agents do not become ready; the message describes their pods."""


@dataclass(frozen=True, slots=True)
class Injected:
    """An agent's answer after it injected a fault."""

    id: str
    ends_at: int
    milliseconds: float
    effect: Mapping[str, Any]


class FaultAgents:
    """The fault agents of one cluster.

    A failed command raises the ClusterError of its HTTP status: NotFoundError when the container
    does not run, ConflictError when it has a fault of this kind already, InvalidError when the
    node cannot inject the fault.
    """

    def __init__(self, api: ApiClient, *, image: str = "") -> None:
        self._api = api
        self._image = image
        self._token = ""

    async def install(self) -> None:
        """Install or update the agents, and wait until all of them answer.

        Raises:
            AgentsError: they do not become ready in time.
        """
        namespace, daemon_set = manifest(self._image)
        await self._wait_until_deleted(only_if_terminating=True)
        await self._ensure("/api/v1/namespaces", namespace)
        await self._ensure(_SECRETS, await self._secret())
        self._token = ""  # an existing Secret keeps its token
        path = f"{_DAEMON_SETS}/{_NAME}"
        await self._api.apply(path, daemon_set, manager="reme-benchmark")
        loop = asyncio.get_running_loop()
        until = loop.time() + _READY_SECONDS
        while not await self.ready():
            if loop.time() > until:
                raise AgentsError(f"the fault agents are not ready: {await self._describe_pods()}")
            await asyncio.sleep(_POLL_SECONDS)

    async def ready(self) -> bool:
        """Return whether an agent of this version answers on every node."""
        try:
            result = await self._api.get(f"{_DAEMON_SETS}/{_NAME}")
        except NotFoundError:
            return False
        status = result.get("status", {})
        expected = status.get("desiredNumberScheduled", 0)
        if status.get("observedGeneration") != result["metadata"]["generation"] or not expected:
            return False
        if any(status.get(key) != expected for key in ("numberReady", "updatedNumberScheduled")):
            return False
        try:
            await self._command_all("ping", {})  # much cheaper for the node than "active"
        except (ClusterError, AgentsError):
            return False
        return True

    async def uninstall(self) -> None:
        """Remove the agents and wait until they are gone. Remove all faults before."""
        with contextlib.suppress(NotFoundError):
            await self._api.delete(_NAMESPACE)
        await self._wait_until_deleted()

    async def _wait_until_deleted(self, *, only_if_terminating: bool = False) -> None:
        """Wait until the namespace is gone; with the flag, return at once if it stays."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _READY_SECONDS
        while loop.time() < until:
            try:
                result = await self._api.get(_NAMESPACE)
            except NotFoundError:
                return
            if only_if_terminating and "deletionTimestamp" not in result["metadata"]:
                return
            await asyncio.sleep(_POLL_SECONDS)
        raise AgentsError(f"namespace {NAMESPACE} still exists after {_READY_SECONDS:g} s")

    async def target(self, namespace: str, pod: str, container: str = "") -> Target:
        """Return a container of a pod as a target; without a name, the first one.

        Raises:
            NotFoundError: the pod does not exist, or the container does not run.
        """
        result = await self._api.get(f"/api/v1/namespaces/{namespace}/pods/{pod}")
        return target_in(result, container)

    async def inject(self, fault: Fault) -> Injected:
        """Inject a fault; repeating the request changes nothing."""
        node = await self._node(fault.target)
        answer = await self._command(await self._agent(node), "inject", {"fault": fault.to_json()})
        milliseconds = float(answer.get("milliseconds", 0.0))
        return Injected(answer["id"], answer["ends_at"], milliseconds, answer.get("effect") or {})

    async def remove(self, fault: Fault | str) -> bool:
        """Remove a fault, on whatever node it is; return whether it still existed."""
        fault_id = fault if isinstance(fault, str) else fault.id
        answers = await self._command_all("remove", {"id": fault_id})
        return any(answer["removed"] for answer in answers)

    async def sweep(self, owner: str = "") -> list[str]:
        """Remove every fault, or those of one owner; return their ids."""
        answers = await self._command_all("sweep", {"owner": owner})
        return sorted({fault_id for answer in answers for fault_id in answer["removed"]})

    async def active(self) -> list[Object]:
        """Return the faults on all nodes: tag and traces, as read from the system."""
        answers = await self._command_all("active", {})
        return [fault for answer in answers for fault in answer["faults"]]

    async def capabilities(self) -> Object:
        """Return what every node supports: loss, delay, netem, disk; and the cgroup_version."""
        first, *rest = await self._command_all("capabilities", {})
        for other in rest:
            for key, value in other.items():
                first[key] = min(first[key], value)
        return first

    async def usage(self, target: Target, seconds: float = 1.0) -> Object:
        """Return CPU, throttling and memory of a container, averaged over the next seconds."""
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
        """Write into a folder of a container, as the container, and return the speed."""
        body = {"folder": folder, "bytes": size, "seconds": seconds, "direct": direct}
        return await self._measure(target, "disk", body)

    async def network(
        self, target: Target, to: str, *, count: int = 5, timeout_seconds: float = 2.0
    ) -> Object:
        """Connect from a pod's network to host:port or to a URL, `count` times.

        A fault that spares the node's address has no effect on a connection to the node.
        """
        body = {"target": to, "count": count, "timeout": timeout_seconds}
        return await self._measure(target, "network", body)

    async def _measure(self, target: Target, command: str, body: Object) -> Object:
        agent = await self._agent(await self._node(target))
        return await self._command(agent, command, {"container_id": target.container_id, **body})

    async def _node(self, target: Target) -> str:
        pod = await self._api.get(f"/api/v1/namespaces/{target.namespace}/pods/{target.pod}")
        return str(pod["spec"].get("nodeName", ""))

    async def _agents(self) -> list[Object]:
        """Return the agents' running pods."""
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

    async def _command_all(self, command: str, body: Object) -> list[Object]:
        pods = await self._agents()
        if not pods:
            raise AgentsError("no fault agent runs")
        names = [str(pod["metadata"]["name"]) for pod in pods]
        return await asyncio.gather(*(self._command(name, command, body) for name in names))

    async def _command(self, pod: str, command: str, body: Object) -> Object:
        path = f"{_PODS}/http:{pod}:{_PORT}/proxy/{command}"
        return await self._api.create(path, {**body, "token": await self._read_token()})

    async def _read_token(self) -> str:
        if not self._token:
            secret = await self._api.get(f"{_SECRETS}/{_NAME}")
            self._token = base64.b64decode(secret["data"]["token"]).decode()
        return self._token

    async def _secret(self) -> Object:
        """Return a new Secret; the uid of kube-system identifies the cluster."""
        system = await self._api.get("/api/v1/namespaces/kube-system")
        return secret(NAMESPACE, _NAME, str(system["metadata"]["uid"]).replace("-", "")[:8])

    async def _ensure(self, collection: str, body: Object) -> None:
        try:
            await self._api.create(collection, body)
        except AlreadyExistsError:
            return

    async def _describe_pods(self) -> str:
        states = []
        async for pod in self._api.list_items(_PODS, {"labelSelector": f"app={_NAME}"}):
            status = pod.get("status", {})
            answer: list[str] = [
                str(detail.get("message") or detail.get("reason") or "")
                for state in status.get("containerStatuses") or ()
                for detail in state.get("state", {}).values()
            ]
            states.append(f"{pod['metadata']['name']}: {status.get('phase')} {' '.join(answer)}")
        return "; ".join(states)[:500] or "the DaemonSet has no pod"


def target_in(pod: Mapping[str, Any], container: str = "") -> Target:
    """Return a container of a pod as a target; without a name, the first one.

    Raises:
        NotFoundError: the container does not run.
    """
    name, status = pod["metadata"]["name"], pod.get("status", {})
    expected = container or pod["spec"]["containers"][0]["name"]
    for state in status.get("containerStatuses") or ():
        if state["name"] == expected and "running" in state.get("state", {}):
            return Target(
                namespace=pod["metadata"]["namespace"],
                pod=name,
                container_id=state["containerID"].rpartition("//")[2],
                node_address=status.get("hostIP", ""),
            )
    raise NotFoundError(f"container {expected} of pod {name} does not run")
