"""A small service to break, a neighbour that asks it, and the agents that break it."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import pytest

from reme_benchmark.injection.agent_client import NAMESPACE, FaultAgents
from reme_benchmark.injection.specs import Fault, Spec, Target
from reme_benchmark.kube.cluster import Cluster
from reme_cluster.errors import CommandError
from reme_cluster.kubectl import Kubectl

IMAGE = "localhost/reme-tools:dev"
Object = dict[str, Any]
# Looks at the node without the agent's own code. Printed: what is left there of any fault.
RESIDUE = """
import glob, os
for path in glob.glob("/proc/[0-9]*/cmdline"):
    try:
        if b"injector.agent." + b"burn" in (words := open(path, "rb").read()):
            print("process", path)
        if b"injector.agent." + b"delay" in words:
            print("process", path)
    except OSError:
        pass
seen = set()
for path in glob.glob("/proc/[0-9]*/ns/net"):
    try:
        name = os.readlink(path)
        if name not in seen:
            seen.add(name)
            queues = open(path[:-6] + "net/netfilter/nfnetlink_queue").read()
            print(*("queue " + line for line in queues.splitlines()), sep="\\n", end="")
    except OSError:
        pass
for folder, _, files in os.walk("/host/cgroup"):
    for name in {"blkio.throttle.write_bps_device", "io.max"} & set(files):
        try:
            if text := open(os.path.join(folder, name)).read().strip():
                print("ceiling", folder, text)
        except OSError:
            pass
    try:
        if "trusted.reme.fault" in os.listxattr(folder):
            print("label", folder)
    except OSError:
        pass
"""
_KILL_THE_AGENT = """
import glob, os
own = open("/proc/self/cgroup").read()
for path in glob.glob("/proc/[0-9]*/cmdline"):
    pid = int(path.split("/")[2])
    words = open(path, "rb").read().split(b"\\0")
    if b"reme_benchmark.injection.agent" in words and open(f"/proc/{pid}/cgroup").read() == own:
        os.kill(pid, 9)
"""


@dataclass
class Lab:
    """One namespace with the service `web` and the pod `client`, whose requests are measured."""

    kubectl: Kubectl
    cluster: Cluster
    agents: FaultAgents
    namespace: str
    owner: str
    injected: list[str] = field(default_factory=list)

    async def web(self) -> Object:
        """Return the pod of the service, when it is ready."""
        while True:
            for pod in await self.cluster.list("Pod", self.namespace, {"app": "web"}):
                if ready(pod) and "deletionTimestamp" not in pod["metadata"]:
                    return pod
            await asyncio.sleep(0.1)

    async def target(self) -> Target:
        pod = await self.web()
        return await self.agents.target(self.namespace, pod["metadata"]["name"])

    async def inject(self, spec: Spec, *, seconds: float = 120) -> Fault:
        fault = Fault(secrets.token_hex(5), self.owner, await self.target(), spec, seconds)
        await self.agents.inject(fault)
        return fault

    async def response_times(self, count: int = 8, timeout_seconds: float = 4.0) -> Object:
        """Ask the service from the neighbour's network, and return the times."""
        address = (await self.web())["status"]["podIP"]
        client = await self.agents.target(self.namespace, "client")
        url = f"http://{address}:8080/healthz"
        obj = await self.agents.network(client, url, count=count, timeout_seconds=timeout_seconds)
        return {**obj, "median": median(obj["milliseconds"] or [timeout_seconds * 1000])}

    async def traces(self) -> list[Object]:
        """Return what the agents see of the faults of this lab."""
        return [fault for fault in await self.agents.active() if fault["owner"] == self.owner]

    def residue(self) -> list[str]:
        """Return what is left of any fault on the node, by another look than the agent's."""
        return self.in_agent(RESIDUE).splitlines()

    def in_agent(self, script: str) -> str:
        return self.kubectl.run(
            "exec", "-n", NAMESPACE, "daemonset/fault-agent", "--", "python", "-c", script
        )

    def kill_agent(self) -> None:
        self.in_agent(_KILL_THE_AGENT)

    def restart_web(self, pod: str) -> None:
        script = "import os, signal; os.kill(1, signal.SIGTERM)"
        with contextlib.suppress(CommandError):  # it ends with the container
            self.kubectl.run("exec", "-n", self.namespace, pod, "--", "python", "-c", script)


def ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


@pytest.fixture(scope="session")
def injector_namespace(kubectl: Kubectl) -> Iterator[str]:
    """Install the agents and the service once; nothing stays that was not there before."""
    name = f"reme-injector-{secrets.token_hex(3)}"
    before = kubectl.get("namespace", NAMESPACE) is not None

    async def agents(work: str) -> None:
        async with Cluster.from_environment() as cluster:
            fault_agents = FaultAgents(cluster.api)
            await (fault_agents.install() if work == "install" else fault_agents.uninstall())

    kubectl.run("create", "namespace", name)
    try:
        kubectl.run("apply", "-f", "-", stdin=json.dumps(_service(name)))
        asyncio.run(agents("install"))
        kubectl.wait_for_rollout("deployment", "web", name, 60)
        kubectl.run("wait", "-n", name, "pod/client", "--for=condition=Ready", "--timeout=60s")
        yield name
    finally:
        if not before:
            asyncio.run(agents("uninstall"))
        kubectl.delete("namespace", name, wait=False)


@pytest.fixture
async def lab(kubectl: Kubectl, injector_namespace: str) -> AsyncIterator[Lab]:
    owner = f"test-{secrets.token_hex(3)}"
    async with Cluster.from_environment() as cluster:
        agents = FaultAgents(cluster.api)
        made = Lab(kubectl, cluster, agents, injector_namespace, owner)
        await made.web()
        yield made
        await agents.sweep(owner)


def _service(namespace: str) -> Object:
    container = {
        "name": "web",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", "reme_benchmark.workload"],
        "env": [{"name": "NAME", "value": "web"}, {"name": "PORT", "value": "8080"}],
        "readinessProbe": {
            "httpGet": {"path": "/healthz", "port": 8080},
            "periodSeconds": 1,
            "timeoutSeconds": 2,
        },
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"cpu": "200m", "memory": "96Mi"},
        },
        "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
    }
    waiting = {**container, "name": "client", "command": ["python", "-c", _WAIT]}
    del waiting["readinessProbe"], waiting["volumeMounts"]
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    **pod,
                    "containers": [container],
                    "volumes": [{"name": "scratch", "emptyDir": {}}],
                },
            },
        },
    }
    client = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "client", "namespace": namespace},
        "spec": {**pod, "containers": [waiting]},
    }
    return {"apiVersion": "v1", "kind": "List", "items": [deployment, client]}


_WAIT = "import time; time.sleep(1e6)"
