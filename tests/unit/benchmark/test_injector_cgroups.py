"""Control groups of both versions: where a process is, what it uses, and how it is limited."""

import time
from pathlib import Path

import pytest

from reme_benchmark.injection.agent import cgroups, disk_limit, stress, usage
from reme_benchmark.injection.agent.cgroups import Groups, Tree, groups, root_join_files
from reme_benchmark.injection.agent.containers import pod_group
from reme_benchmark.injection.agent.disk_limit import Mount
from reme_benchmark.injection.agent.errors import AgentError, GoneError
from reme_benchmark.injection.specs import CpuStress, DiskLimit, MemoryStress

V1 = """\
12:pids:/kubepods/burstable/pod1/c1
4:memory:/kubepods/burstable/pod1/c1
3:cpu,cpuacct:/kubepods/burstable/pod1/c1
1:name=systemd:/kubepods/burstable/pod1/c1
0::/elsewhere
"""
V2 = "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-c1.scope\n"


def tree(folder: Path, *controllers: str, unified: bool = False) -> Tree:
    for controller in controllers:
        (folder / controller).mkdir(parents=True)
        (folder / controller / "tasks").touch()
    if unified:
        (folder / "cgroup.controllers").write_text("cpu io memory")
    return Tree(folder)


def test_version_1_has_a_directory_per_controller_also_when_mounted_together(
    tmp_path: Path,
) -> None:
    container_groups = groups(tree(tmp_path, "pids", "memory", "cpu,cpuacct", "systemd"), V1)
    below = "kubepods/burstable/pod1/c1"
    assert (
        container_groups.directory("cpu")
        == container_groups.directory("cpuacct")
        == tmp_path / "cpu,cpuacct" / below
    )
    assert container_groups.directory("memory") == tmp_path / "memory" / below
    assert set(container_groups.join_files()) == {
        tmp_path / name / below / "cgroup.procs"
        for name in ("pids", "memory", "cpu,cpuacct", "systemd")
    }
    with pytest.raises(AgentError, match="blkio"):
        container_groups.directory("blkio")


def test_version_2_has_one_and_a_hybrid_is_version_1(tmp_path: Path) -> None:
    container_groups = groups(tree(tmp_path / "v2", "x", unified=True), V2)
    assert container_groups.unified
    assert (
        container_groups.directory("cpu")
        == container_groups.directory("io")
        == tmp_path / "v2" / V2.strip()[4:]
    )
    hybrid = tree(tmp_path / "v1", "memory", "unified")
    (tmp_path / "v1" / "unified" / "cgroup.controllers").write_text("")
    assert not hybrid.unified
    assert list(groups(hybrid, V1).by_controller) == ["memory"]


def test_a_namespaced_view_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="namespace"):
        groups(tree(tmp_path, "x", unified=True), "0::/../pod1/c1\n")


def test_leaving_means_the_root_of_every_tree_once(tmp_path: Path) -> None:
    made = tree(tmp_path, "cpu,cpuacct", "memory")
    (tmp_path / "cpu").symlink_to("cpu,cpuacct")
    files = root_join_files(made)
    assert sorted(path.parent.name for path in files) == ["cpu,cpuacct", "memory"]


def test_containers_of_a_pod_have_the_same_parent() -> None:
    assert pod_group(V1) == "/kubepods/burstable/pod1" == pod_group(V1.replace("c1", "s2"))
    assert pod_group(V1) != pod_group(V1.replace("pod1", "pod2"))


def files(folder: Path, **texts: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


@pytest.fixture
def v1(tmp_path: Path) -> Groups:
    folder = files(
        tmp_path / "v1",
        cpu__cfs_quota_us="20000\n",
        cpu__cfs_period_us="100000\n",
        cpu__stat="nr_periods 10\nnr_throttled 4\nthrottled_time 5000000\n",
        cpuacct__usage="123456789\n",
        memory__usage_in_bytes="50000000\n",
        memory__limit_in_bytes="100000000\n",
        memory__stat="inactive_file 1\ntotal_inactive_file 20000000\n",
    )
    return Groups(False, dict.fromkeys(("cpu", "cpuacct", "memory", "blkio"), folder))


@pytest.fixture
def v2(tmp_path: Path) -> Groups:
    folder = files(
        tmp_path / "v2",
        cpu__max="max 100000\n",
        cpu__stat="usage_usec 123456\nnr_periods 10\nnr_throttled 4\nthrottled_usec 5000\n",
        memory__current="50000000\n",
        memory__max="max\n",
        memory__stat="inactive_file 20000000\n",
    )
    return Groups(True, {"": folder})


def test_memory_is_the_working_set(v1: Groups, v2: Groups) -> None:
    assert usage.memory(v1) == (30_000_000, 100_000_000)
    assert usage.memory(v2) == (30_000_000, None)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_usage_is_what_was_added_meanwhile(
    version: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    each: Groups = request.getfixturevalue(version)
    clock = [100.0]

    def later(_: float) -> None:
        clock[0] += 2.0
        text = "usage_usec 1123456\nnr_periods 30\nnr_throttled 14\nthrottled_usec 105000\n"
        if not each.unified:
            text = "nr_periods 30\nnr_throttled 14\nthrottled_time 105000000\n"
            (each.directory("cpu") / "cpuacct.usage").write_text("1123456789\n")
        (each.directory("cpu") / "cpu.stat").write_text(text)

    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(time, "sleep", later)
    used = usage.usage(each, 2.0)
    assert used.cpu_millicores == 500
    assert (used.periods, used.throttled_periods, used.throttled_milliseconds) == (20, 10, 100)
    assert usage.cpu_limit(each) == (None if each.unified else 200)


def test_a_group_that_went_is_a_container_that_went(tmp_path: Path) -> None:
    with pytest.raises(GoneError):
        cgroups.read(tmp_path / "nothing")
    with pytest.raises(GoneError):
        cgroups.write(tmp_path / "gone" / "io.max", "x")


def test_without_a_limit_cpu_stress_leaves_half_of_the_node() -> None:
    spec = CpuStress(workers=4, load_percent=100)
    assert stress.cpu_load(spec, 200, cores=2) == 100
    assert stress.cpu_load(spec, None, cores=2) == 25
    assert stress.cpu_load(CpuStress(workers=1, load_percent=30), None, cores=2) == 30


def test_a_share_of_memory_counts_what_is_used_already() -> None:
    share = MemoryStress(percent_of_limit=90)
    assert stress.memory_bytes(share, used=30_000_000, limit=100_000_000) == 60_000_000
    assert stress.memory_bytes(MemoryStress(mebibytes=2), used=5, limit=None) == 2 * 2**20
    with pytest.raises(AgentError, match="the container has none"):
        stress.memory_bytes(share, used=1, limit=None)
    with pytest.raises(AgentError, match="already"):
        stress.memory_bytes(share, used=95_000_000, limit=100_000_000)


def test_a_ceiling_is_written_as_each_version_wants_it() -> None:
    both = DiskLimit(bytes_per_second=1000, operations_per_second=20)
    assert disk_limit.settings(True, "254:0", both) == [("io.max", "254:0 wbps=1000 wiops=20")]
    assert disk_limit.settings(False, "254:0", both) == [
        ("blkio.throttle.write_bps_device", "254:0 1000"),
        ("blkio.throttle.write_iops_device", "254:0 20"),
    ]
    only = DiskLimit(operations_per_second=20)
    assert disk_limit.settings(True, "8:0", only) == [("io.max", "8:0 wiops=20")]
    assert disk_limit.settings(False, "8:0", only) == [
        ("blkio.throttle.write_iops_device", "8:0 20")
    ]


MOUNTS = [
    Mount("0:31", "/", "/"),
    Mount("0:40", "/", "/dev/shm"),
    Mount("8:1", "/var/lib/kubelet/pods/u/etc-hosts", "/etc/hosts"),
    Mount("8:17", "/var/lib/kubelet/pods/u/volumes/kubernetes.io~empty-dir/scratch", "/scratch"),
]


def test_the_disk_is_that_of_the_path_or_of_the_pods_volumes() -> None:
    assert disk_limit.device_of(MOUNTS, "") == "8:17"
    assert disk_limit.device_of(MOUNTS[:3], "") == "8:1"
    assert disk_limit.device_of(MOUNTS, "/scratch/deep") == "8:17"
    for path in ("/dev/shm", "/scratchy", "/"):
        with pytest.raises(AgentError, match="not on a disk"):
            disk_limit.device_of(MOUNTS, path)
