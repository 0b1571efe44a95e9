import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from reme_cluster import kubectl
from reme_cluster.errors import CommandError
from reme_cluster.kubectl import Kubectl


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> "Calls":
    calls = Calls()
    monkeypatch.setattr(kubectl, "run", calls.run)
    return calls


class Calls:
    """Records calls of kubectl; those with a word of `failing` fail."""

    def __init__(self) -> None:
        self.arguments: list[list[str]] = []
        self.stdin: list[str] = []
        self.env: list[Mapping[str, str]] = []
        self.output = ""
        self.failing = ""

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str,
        env: Mapping[str, str],
        timeout_seconds: float,
    ) -> str:
        self.arguments.append(list(argv))
        self.stdin.append(stdin)
        self.env.append(env)
        if self.failing and self.failing in argv:
            raise CommandError(argv, 1, "not found")
        return self.output


def test_the_kubeconfig_is_passed_in_the_environment(calls: Calls) -> None:
    calls.output = '{"items": []}'
    Kubectl.of_cluster(Path("/bin/kubectl"), Path("/state/kubeconfig")).list("pods")

    assert calls.env == [{"KUBECONFIG": "/state/kubeconfig"}]
    assert calls.arguments[0][:3] == ["/bin/kubectl", "--cache-dir", "/state/.kubectl"]
    assert calls.arguments[0][3:] == ["get", "pods", "--all-namespaces", "-o", "json"]


def test_without_a_kubeconfig_kubectl_uses_its_own(calls: Calls) -> None:
    assert Kubectl().get("node", "a") is None

    assert calls.env == [{}]
    assert calls.arguments == [["kubectl", "get", "node", "a", "-o", "json", "--ignore-not-found"]]


def test_applied_objects_are_one_list(calls: Calls) -> None:
    Kubectl().apply({"kind": "A"}, {"kind": "B"}, namespace="shop")

    assert json.loads(calls.stdin[0])["items"] == [{"kind": "A"}, {"kind": "B"}]
    assert calls.arguments[0][-4:] == ["-n", "shop", "-f", "-"]


@pytest.mark.parametrize("exists", [True, False])
def test_an_object_is_created_once(calls: Calls, exists: bool) -> None:
    calls.failing = "" if exists else "get"

    Kubectl().ensure_raw("/api/v1/namespaces", {"metadata": {"name": "one"}})

    assert calls.arguments[0][-2:] == ["--raw", "/api/v1/namespaces/one"]
    assert len(calls.arguments) == (1 if exists else 2)
    if not exists:
        assert json.loads(calls.stdin[1]) == {"metadata": {"name": "one"}}


@pytest.mark.parametrize("manifest", sorted(kubectl.MANIFESTS.glob("*.yaml")), ids=lambda p: p.name)
def test_manifests_have_a_value_for_every_name(manifest: Path, calls: Calls) -> None:
    values: dict[str, Any] = {
        "DNS_ADDRESS": "1.2.3.4",
        "COREDNS_IMAGE": "dns:1",
        "METRICS_SERVER_IMAGE": "m:1",
    }

    kubectl.apply_manifests(Kubectl(), manifest.name, **values)

    assert "${" not in calls.stdin[0]
