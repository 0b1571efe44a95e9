"""The client of the fault agents, with a fake API server."""

import base64
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from reme_benchmark.injection import pod_failure
from reme_benchmark.injection.agent_client import AgentsError, FaultAgents, target_in
from reme_benchmark.injection.agent_manifest import manifest
from reme_benchmark.injection.specs import CpuStress, Fault, Target
from reme_kube.errors import NotFoundError
from reme_kube.http_client import ApiClient

SYSTEM = "/api/v1/namespaces/reme-faults"
WEB = {
    "metadata": {"name": "web-1", "namespace": "shop"},
    "spec": {"nodeName": "two", "containers": [{"name": "web", "image": "i"}, {"name": "side"}]},
    "status": {
        "hostIP": "10.0.0.2",
        "containerStatuses": [
            {"name": "side", "containerID": "containerd://" + "5" * 64, "state": {"running": {}}},
            {"name": "web", "containerID": "containerd://" + "a" * 64, "state": {"running": {}}},
        ],
    },
}


class Answers:
    """Agents on nodes one and two, and the pod web-1 on node two."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.agents = [agent("one"), agent("two"), agent("three", phase="Pending")]
        self.reply: dict[str, Any] = {}

    async def get(self, path: str) -> dict[str, Any]:
        if path == f"{SYSTEM}/secrets/fault-agent":
            return {"data": {"token": base64.b64encode(b"the-token").decode()}}
        if path == "/api/v1/namespaces/shop/pods/web-1":
            return WEB
        raise NotFoundError(path)

    async def list_items(self, path: str, params: Any = None) -> AsyncIterator[dict[str, Any]]:
        assert (path, params) == (f"{SYSTEM}/pods", {"labelSelector": "app=fault-agent"})
        for pod in self.agents:
            yield pod

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((path, body))
        return dict(self.reply)


def agent(node: str, phase: str = "Running") -> dict[str, Any]:
    return {
        "metadata": {"name": f"agent-{node}"},
        "spec": {"nodeName": node},
        "status": {"phase": phase},
    }


@pytest.fixture
def cluster() -> Answers:
    return Answers()


@pytest.fixture
def agents(cluster: Answers) -> FaultAgents:
    return FaultAgents(cast("ApiClient", cluster))


FAULT = Fault("0a1b2c3d", "bench", Target("shop", "web-1", "a" * 64, "10.0.0.2"), CpuStress())


async def test_a_fault_goes_to_the_agent_of_its_pods_node_with_the_token(
    cluster: Answers, agents: FaultAgents
) -> None:
    cluster.reply = {"id": FAULT.id, "ends_at": 5, "milliseconds": 12.5, "effect": {"x": 1}}
    injected = await agents.inject(FAULT)
    assert (injected.id, injected.ends_at, injected.effect) == (FAULT.id, 5, {"x": 1})
    [(path, body)] = cluster.calls
    assert path == f"{SYSTEM}/pods/http:agent-two:8090/proxy/inject"
    assert body == {"token": "the-token", "fault": FAULT.to_json()}


async def test_a_sweep_asks_every_agent_that_runs(cluster: Answers, agents: FaultAgents) -> None:
    cluster.reply = {"removed": ["f1"]}
    assert await agents.sweep("bench") == ["f1"]
    assert [path.split(":")[1] for path, _ in cluster.calls] == ["agent-one", "agent-two"]
    assert await agents.remove(FAULT)


async def test_without_an_agent_there_is_an_error_and_not_an_empty_answer(
    cluster: Answers, agents: FaultAgents
) -> None:
    cluster.agents = [agent("one")]
    with pytest.raises(AgentsError, match="two"):
        await agents.inject(FAULT)
    cluster.agents = []
    with pytest.raises(AgentsError):
        await agents.sweep()


async def test_what_all_nodes_can_do_is_what_the_least_can(
    cluster: Answers, agents: FaultAgents, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [{"netem": True, "cgroup_version": 2}, {"netem": False, "cgroup_version": 1}]

    async def create(path: str, body: dict[str, Any]) -> dict[str, Any]:
        return answers.pop()

    monkeypatch.setattr(cluster, "create", create)
    assert await agents.capabilities() == {"netem": False, "cgroup_version": 1}


def test_a_target_is_the_first_container_unless_one_is_named() -> None:
    assert target_in(WEB) == Target("shop", "web-1", "a" * 64, "10.0.0.2")
    assert target_in(WEB, "side").container_id == "5" * 64
    with pytest.raises(NotFoundError, match="does not run"):
        target_in({**WEB, "status": {}})


def test_the_agents_are_replaced_when_their_code_is_another() -> None:
    namespace, daemon_set = manifest()
    annotations = daemon_set["spec"]["template"]["metadata"]["annotations"]
    assert len(annotations["reme.dev/agent-source"]) == 16
    assert namespace["metadata"]["name"] == daemon_set["metadata"]["namespace"]
    pod = daemon_set["spec"]["template"]["spec"]
    assert pod["hostPID"]
    assert not pod["automountServiceAccountToken"]
    assert "hostNetwork" not in pod
    _, other = manifest("elsewhere:1")
    assert other["spec"]["template"]["spec"]["containers"][0]["image"] == "elsewhere:1"


@pytest.mark.parametrize(
    ("annotations", "images"),
    [
        ({pod_failure.ANNOTATION: '{"web": "shop:1"}'}, {"web": "shop:1"}),
        ({pod_failure.ANNOTATION: "[]"}, {}),
        ({pod_failure.ANNOTATION: "{"}, {}),
        ({}, {}),
    ],
)
def test_only_what_was_kept_is_given_back(
    annotations: dict[str, str], images: dict[str, str]
) -> None:
    assert pod_failure.original_images({"metadata": {"annotations": annotations}}) == images
