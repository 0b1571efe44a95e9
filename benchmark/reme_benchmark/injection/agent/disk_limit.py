"""Limits how fast a container writes, through its control group: blkio in cgroup v1, io in v2."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from reme_benchmark.injection.agent import cgroups
from reme_benchmark.injection.agent.cgroups import Groups, Tree
from reme_benchmark.injection.agent.containers import PROC, Container
from reme_benchmark.injection.agent.errors import AgentError
from reme_benchmark.injection.fault_tag import FaultTag
from reme_benchmark.injection.specs import DiskLimit

_BYTES, _OPERATIONS = "blkio.throttle.write_bps_device", "blkio.throttle.write_iops_device"
_BLOCKS = Path("/sys/dev/block")


@dataclass(frozen=True, slots=True)
class Mount:
    """The fields of a mountinfo line that are needed here."""

    device: str
    root: str
    point: str


def limit(container: Container, spec: DiskLimit, tag: FaultTag) -> dict[str, str]:
    """Set the limit and return its device.

    The group is labelled before it is changed, so that a crash in between is still found.
    """
    device = whole_disk(device_of(mounts(container.pid), spec.path))
    folder = container.groups.directory("io" if container.groups.unified else "blkio")
    before = {name: _line(cgroups.read(folder / name), device) for name in _files(container.groups)}
    cgroups.label(folder, f"{tag} {json.dumps({'device': device, 'before': before})}")
    try:
        for name, text in settings(container.groups.unified, device, spec):
            cgroups.write(folder / name, text)
    except AgentError:
        _restore(folder, device, before)
        raise
    return {"device": device}


def supported(tree: Tree) -> bool:
    """Return whether this node can limit the writes of a control group."""
    if tree.unified:
        return "io" in (tree.root / "cgroup.subtree_control").read_text().split()
    # Without throttling in the kernel the controller has no such file.
    return any((tree.root / "blkio").glob(f"*/{_BYTES}"))


def settings(unified: bool, device: str, spec: DiskLimit) -> list[tuple[str, str]]:
    """Return (file, text) of the settings to write."""
    size, count = spec.bytes_per_second, spec.operations_per_second
    if unified:
        words = [f"wbps={size}"] * bool(size) + [f"wiops={count}"] * bool(count)
        return [("io.max", " ".join([device, *words]))]
    by_bytes = [(_BYTES, f"{device} {size}")] * bool(size)
    return by_bytes + [(_OPERATIONS, f"{device} {count}")] * bool(count)


def limited_groups(tree: Tree) -> list[tuple[Path, FaultTag]]:
    """Return the control groups with a limit that a fault set."""
    top = tree.root if tree.unified else tree.root / "blkio"
    tags = ((folder, FaultTag.find(text)) for folder, text in cgroups.labelled(top))
    return [(folder, tag) for folder, tag in tags if tag]


def restore(folder: Path) -> None:
    """Restore the earlier settings of a control group; one that has gone needs nothing."""
    for path, text in cgroups.labelled(folder):
        if path == folder:
            saved = json.loads(text.partition(" ")[2])
            _restore(folder, saved["device"], saved["before"])


def _restore(folder: Path, device: str, before: dict[str, str]) -> None:
    for name, line in before.items():
        unset = (
            f"{device} rbps=max wbps=max riops=max wiops=max" if name == "io.max" else f"{device} 0"
        )
        if (folder / name).exists():
            cgroups.write(folder / name, line or unset)
    cgroups.unlabel(folder)


def _files(groups: Groups) -> tuple[str, ...]:
    return ("io.max",) if groups.unified else (_BYTES, _OPERATIONS)


def _line(text: str, device: str) -> str:
    return next((line for line in text.splitlines() if line.split()[:1] == [device]), "")


def mounts(pid: int) -> list[Mount]:
    """Return the mounts that a process sees."""
    lines = (PROC / str(pid) / "mountinfo").read_text().splitlines()
    return [Mount(words[2], words[3], words[4]) for words in map(str.split, lines)]


def device_of(mounted: list[Mount], path: str) -> str:
    """Return the device that holds a path; without a path, the device of the pod's volumes.

    /etc/hosts is on that device in every container: the kubelet keeps it beside the volumes.

    Raises:
        AgentError: the path is in memory, or on no disk of this node.
    """
    if path:
        above = [m for m in mounted if f"{path}/".startswith(f"{m.point.rstrip('/')}/")]
        mount = max(above, key=lambda m: len(m.point), default=None)
    else:
        volumes = [m for m in mounted if "/volumes/kubernetes.io~empty-dir/" in m.root]
        hosts = [m for m in mounted if m.point == "/etc/hosts"]
        mount = next(iter([*volumes, *hosts]), None)
    if mount is None or mount.device.startswith("0:"):
        raise AgentError(f"{path or 'the pod'} is not on a disk of this node: cannot limit writes")
    return mount.device


def whole_disk(device: str) -> str:
    """Return the disk of a partition, because the kernel limits whole disks only."""
    entry = _BLOCKS / device
    if not (entry / "partition").exists():
        return device
    return (Path(os.path.realpath(entry)).parent / "dev").read_text().strip()
