"""What runs in the cluster is reached by name, across nodes, and from the host."""

import json
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: DoNotSchedule
          labelSelector: {matchLabels: {app: web}}
      terminationGracePeriodSeconds: 0
      containers:
        - name: web
          image: localhost/e2e-busybox:1
          args: ["mkdir /www; hostname >/www/index.html; exec busybox httpd -f -p 8080 -h /www"]
          env: [{name: PATH, value: /bin}]
          readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
"""


def fetch(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/", timeout=5) as answer:
        return str(answer.read().decode().strip())


def pods(cluster: Any) -> list[dict[str, Any]]:
    document = json.loads(cluster.kubectl("get", "pods", "-l", "app=web", "-o", "json"))
    items: list[dict[str, Any]] = document["items"]
    return items


def test_two_nodes(cluster: Any, busybox: Path) -> None:
    cluster("up", "--nodes", "2", "--metrics")
    cluster("load", str(busybox))
    cluster.kubectl("apply", "-f", "-", stdin=WEB)
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    running = pods(cluster)
    names = {pod["metadata"]["name"] for pod in running}
    assert {pod["spec"]["nodeName"] for pod in running} == {
        f"{cluster.name}-0",
        f"{cluster.name}-1",
    }

    # From the host: pods by address, the service by its address.
    for pod in running:
        assert fetch(f"{pod['status']['podIP']}:8080") == pod["metadata"]["name"]
    service = json.loads(cluster.kubectl("get", "service", "web", "-o", "json"))
    # The node's rules follow an available pod a moment later.
    answered: set[str] = set()
    until = time.monotonic() + 20
    while answered != names and time.monotonic() < until:
        answered |= {fetch(service["spec"]["clusterIP"]) for _ in range(10)}
    assert answered == names

    # From a pod: every other pod, and the service by its name.
    first = running[0]["metadata"]["name"]

    def from_pod(*words: str) -> str:
        return str(cluster.kubectl("exec", first, "--", "busybox", *words))

    for pod in running:
        address = f"http://{pod['status']['podIP']}:8080/"
        assert from_pod("wget", "-qO-", address) == pod["metadata"]["name"]
    looked_up = from_pod("nslookup", "web.default.svc.cluster.local")
    assert service["spec"]["clusterIP"] in looked_up
    address = f"http://{service['spec']['clusterIP']}/"
    assert {from_pod("wget", "-qO-", address) for _ in range(40)} == names

    assert cluster.kubectl("top", "nodes").count(cluster.name) == 2


def test_two_clusters_do_not_meet(cluster: Any, busybox: Path) -> None:
    other = type(cluster)(f"{cluster.name}-b")
    try:
        cluster("up")
        other("up")
        assert cluster.status()["network"]["subnet"] != other.status()["network"]["subnet"]
        cluster.kubectl("create", "namespace", "mine")
        assert "mine" not in other.kubectl("get", "namespaces", "--output=name")
    finally:
        other("down")
    assert cluster.status()["running"]


def test_load_skips_what_is_there(cluster: Any, busybox: Path) -> None:
    cluster("up")

    def load() -> str:
        words = cluster.argv("load", str(busybox))
        return subprocess.run(words, capture_output=True, text=True, check=True).stderr

    assert "load" in load()
    assert "is loaded already" in load()


def test_logs_are_collected(cluster: Any, tmp_path: Path) -> None:
    cluster("up")
    cluster("logs", "--to", str(tmp_path / "logs"))
    collected = {str(p.relative_to(tmp_path / "logs")) for p in (tmp_path / "logs").rglob("*")}

    assert {"events.txt", "pods.txt", "nodes.txt", "status.json"} <= collected
    assert f"components/{cluster.name}-0/kubelet.log" in collected
    assert any(name.endswith("/coredns.log") for name in collected)
    assert not any("key" in name for name in collected)
    assert "kubelet" in cluster("logs", "kubelet", "--lines", "5000").lower()


def test_audit_log(cluster: Any) -> None:
    cluster("up", "--audit-log")
    cluster.kubectl("create", "configmap", "watched")
    time.sleep(1)

    audit = Path(cluster.status()["state_dir"]) / "logs" / f"{cluster.name}-0" / "audit.log"

    assert "watched" in audit.read_text()
