"""`down` leaves nothing behind: the host looks as it did before `up`."""

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from reme_cluster.settings import Settings

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

CGROUPS = Path("/sys/fs/cgroup")
SYSCTLS = (
    *("kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory", "vm/panic_on_oom"),
    *("net/ipv4/ip_forward", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"),
)
OUTSIDE = ("/var/lib/kubelet", "/var/lib/cni", "/run/containerd", "/var/log/containers", "/etc/cni")


def output(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def links() -> set[str]:
    return {link["ifname"] for link in json.loads(output("ip", "-j", "link", "show"))}


def routes() -> set[str]:
    return set(output("ip", "route", "show", "table", "all").splitlines())


def rules() -> list[str]:
    """All packet filter rules of the host, without times and counters."""
    lines = output("nft", "--stateless", "list", "ruleset").splitlines()
    for program in ("iptables-save", "ip6tables-save"):
        lines += [line for line in output(program).splitlines() if not line.startswith("#")]
    return [re.sub(r"\[\d+:\d+\]", "", line) for line in lines]


def top_cgroups() -> set[str]:
    """The first level of every tree; a cluster has exactly one entry in each."""
    names = {str(path) for path in CGROUPS.glob("*/") if path.is_dir()}
    return names | {str(path) for path in CGROUPS.glob("*/*/") if path.is_dir()}


def network_namespaces() -> set[str]:
    return set(output("ip", "netns", "list").split())


def mounts() -> list[str]:
    """All mounts of the host, but not those of an image build that may run beside this test."""
    lines = Path("/proc/mounts").read_text().splitlines()
    clusters = str(Settings.resolve().state_root)
    return sorted(line for line in lines if clusters in line or "/overlay" not in line)


def snapshot() -> dict[str, Any]:
    """Everything of the host that a cluster could change."""
    return {
        "mounts": mounts(),
        "network namespaces": network_namespaces(),
        "links": links(),
        "routes": routes(),
        "rules": rules(),
        "cgroups": top_cgroups(),
        "sysctls": {name: (Path("/proc/sys") / name).read_text() for name in SYSCTLS},
        "files": {place: Path(place).exists() for place in OUTSIDE},
    }


def processes_of(name: str) -> list[str]:
    """Processes that name the cluster in their words, their cgroup or their mounts."""
    items = []
    for process in Path("/proc").glob("[0-9]*"):
        for file in ("cmdline", "cgroup", "mountinfo", "environ"):
            try:
                text = (process / file).read_bytes().decode(errors="replace")
            except OSError:
                continue
            if name in text:
                items.append(f"{process.name} {file}")
    return items


def assert_same(before: dict[str, Any], after: dict[str, Any], name: str, interface: str) -> None:
    """Compare, leaving out other clusters of this host: they may come and go meanwhile."""

    def is_ours(entry: str) -> bool:
        interfaces = set(re.findall(r"\breme\d+-\d+\b", entry))
        groups = set(re.findall(r"/reme-[^/]+", entry))
        return interfaces <= {interface} and groups <= {f"/reme-{name}"}

    for what, value in before.items():
        if isinstance(value, set):
            assert set(filter(is_ours, after[what])) == set(filter(is_ours, value)), what
        elif what != "files" or not others(name):
            assert after[what] == value, what


def others(name: str) -> set[str]:
    """The cgroups of other clusters, which still need the directories that all share."""
    return {path for path in top_cgroups() if "/reme-" in path and f"/reme-{name}" not in path}


def assert_no_processes(name: str) -> None:
    """Allow the host's first process a moment to collect what `down` ended."""
    deadline = time.monotonic() + 5
    while processes_of(name) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_of(name) == []


def start_a_pod(cluster: Any, busybox: Path) -> None:
    """Give `down` something to clean up: volumes, a service, a privileged container."""
    cluster("load", str(busybox))
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "busy", "labels": {"app": "busy"}},
        "spec": {
            "containers": [
                {
                    "name": "busy",
                    "image": "localhost/e2e-busybox:1",
                    "args": ["while true; do busybox sleep 1; done"],
                    "env": [{"name": "PATH", "value": "/bin"}],
                    "securityContext": {"privileged": True},
                    "volumeMounts": [{"name": "memory", "mountPath": "/memory"}],
                    "ports": [{"containerPort": 80, "hostPort": 8080}],
                }
            ],
            "volumes": [{"name": "memory", "emptyDir": {"medium": "Memory"}}],
        },
    }
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(pod))
    cluster.kubectl("expose", "pod", "busy", "--port=80", "--type=NodePort")
    cluster.kubectl("wait", "--for=condition=Ready", "pod/busy", "--timeout=60s")


@pytest.mark.parametrize("nodes", ["1", "2"])
def test_down_leaves_nothing_behind(cluster: Any, busybox: Path, nodes: str) -> None:
    before = snapshot()

    cluster("up", "--nodes", nodes)
    start_a_pod(cluster, busybox)
    during = snapshot()
    status = cluster.status()
    interface = status["network"]["interface"]
    assert processes_of(cluster.name)
    assert any(f"/reme-{cluster.name}" in path for path in during["cgroups"])
    assert interface in during["links"] - before["links"]
    # The nodes' mounts, rules and settings are their own even while they run.
    for own in ("mounts", "rules", "sysctls", "network namespaces"):
        assert during[own] == before[own], own

    cluster("down")

    assert_same(before, snapshot(), cluster.name, interface)
    assert_no_processes(cluster.name)
    assert not Path(status["state_dir"]).exists()


def test_down_after_everything_died(cluster: Any) -> None:
    before = snapshot()
    cluster("up")
    interface = cluster.status()["network"]["interface"]
    for pid in cluster.pids().values():
        subprocess.run(["kill", "-9", str(pid)], check=True)

    cluster("down")

    assert_same(before, snapshot(), cluster.name, interface)
    assert_no_processes(cluster.name)


def test_down_twice_and_without_a_cluster(cluster: Any) -> None:
    before = snapshot()

    cluster("down")
    cluster("down")

    assert_same(before, snapshot(), cluster.name, interface="")
