"""`up` repairs: the dead starts again, the living is left alone, also after a killed `up`."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


def tracking() -> Path:
    unified = Path("/sys/fs/cgroup/cgroup.controllers")
    return Path("/sys/fs/cgroup") if unified.exists() else Path("/sys/fs/cgroup/pids")


def members(directory: Path) -> list[int]:
    """The processes of one component, without its children and those that carry containers."""
    pids = list(map(int, (directory / "cgroup.procs").read_text().split()))
    items = []
    for pid in pids:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # ended while we looked
        if parent not in pids and b"containerd-shim" not in words:
            items.append(pid)
    return items


def assert_each_runs_once(cluster: Any) -> None:
    status = cluster.status()
    assert status["running"], status
    root = tracking() / f"reme-{cluster.name}"
    for component in status["components"]:
        node = component["node"].removeprefix(f"{cluster.name}-")
        group = root / f"node-{node}" / "system" / component["name"]
        assert members(group) == [component["pid"]], component


@pytest.mark.parametrize(
    "victims",
    [
        ("kubelet",),
        ("kube-apiserver", "etcd"),
        ("containerd", "kube-proxy", "kube-scheduler", "kube-controller-manager"),
    ],
    ids="+".join,
)
def test_only_the_dead_start_again(cluster: Any, victims: tuple[str, ...]) -> None:
    cluster("up")
    before = cluster.pids()
    dead = {f"{cluster.name}-0/{victim}" for victim in victims}
    for component in dead:
        os.kill(before[component], signal.SIGKILL)
    assert not cluster.status()["running"]

    cluster("up")

    after = cluster.pids()
    assert {name for name in after if after[name] != before[name]} == dead
    assert_each_runs_once(cluster)
    uids = "--output=jsonpath={.items[*].status.containerStatuses[*].restartCount}"
    assert cluster.kubectl("get", "pods", "-A", uids) == "0 0"


def test_up_after_everything_died(cluster: Any) -> None:
    """As after a start of the machine: processes, interface and cgroups are gone."""
    cluster("up")
    cluster.kubectl("create", "configmap", "kept")
    interface = cluster.status()["network"]["interface"]
    root = tracking() / f"reme-{cluster.name}"
    deadline = time.monotonic() + 20
    while pids := [p for f in root.rglob("cgroup.procs") for p in f.read_text().split()]:
        assert time.monotonic() < deadline
        subprocess.run(["kill", "-9", *pids], check=False, capture_output=True)
    subprocess.run(["ip", "link", "delete", interface], check=False, capture_output=True)

    cluster("up")

    assert_each_runs_once(cluster)
    assert "kept" in cluster.kubectl("get", "configmaps", "--output=name")


def test_a_new_node_after_its_namespaces_died(cluster: Any) -> None:
    cluster("up", "--nodes", "2")
    os.kill(cluster.pids()[f"{cluster.name}-1/namespaces"], signal.SIGKILL)

    cluster("up")

    assert_each_runs_once(cluster)


def test_up_may_be_killed_at_any_time(cluster: Any) -> None:
    for seconds in (0.2, 0.5, 0.7, 0.9, 1.2, 1.6, 2.0, 3.0, 4.0, 5.0, 7.0):
        process = subprocess.Popen(
            cluster.argv("up"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(seconds)
        process.kill()
        process.wait()

    cluster("up")

    assert_each_runs_once(cluster)


def test_down_may_be_killed_at_any_time(cluster: Any) -> None:
    cluster("up")
    for seconds in (0.15, 0.2, 0.25, 0.3, 0.5):
        process = subprocess.Popen(
            cluster.argv("down"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(seconds)
        process.kill()
        process.wait()

    cluster("up")

    assert_each_runs_once(cluster)


def test_only_one_command_at_a_time(cluster: Any) -> None:
    first = subprocess.Popen(
        cluster.argv("up"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(1.5)

    busy = subprocess.run(cluster.argv("up"), capture_output=True, text=True, check=False)

    assert busy.returncode == 3
    assert f"process {first.pid}" in busy.stderr
    assert first.wait(timeout=300) == 0
