"""A ceiling for what a container writes, set in its control group: blkio in v1, io in v2."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from reme_benchmark.injection.agent import cgroups
from reme_benchmark.injection.agent.cgroups import Groups, Tree
from reme_benchmark.injection.agent.containers import PROC, Container
from reme_benchmark.injection.agent.errors import AgentError
from reme_benchmark.injection.fault_tag import Mark
from reme_benchmark.injection.specs import DiskLimit

_BYTES, _OPERATIONS = "blkio.throttle.write_bps_device", "blkio.throttle.write_iops_device"
_BLOCKS = Path("/sys/dev/block")


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of a process's mountinfo, as far as it matters here."""

    device: str
    root: str
    point: str


def limit(container: Container, spec: DiskLimit, mark: Mark) -> dict[str, str]:
    """Set the ceiling and return the device that it is for.

    The group is labelled before it is changed: a crash between both leaves nothing unseen.
    """
    device = whole_disk(device_of(mounts(container.pid), spec.path))
    folder = container.groups.of("io" if container.groups.unified else "blkio")
    before = {name: _line(cgroups.read(folder / name), device) for name in _files(container.groups)}
    cgroups.label(folder, f"{mark} {json.dumps({'device': device, 'before': before})}")
    try:
        for name, text in settings(container.groups.unified, device, spec):
            cgroups.write(folder / name, text)
    except AgentError:
        _restore(folder, device, before)
        raise
    return {"device": device}


def possible(tree: Tree) -> bool:
    """Return whether this node can limit what a control group writes."""
    if tree.unified:
        return "io" in (tree.root / "cgroup.subtree_control").read_text().split()
    # Without throttling in the kernel the controller has no such file.
    return any((tree.root / "blkio").glob(f"*/{_BYTES}"))


def settings(unified: bool, device: str, spec: DiskLimit) -> list[tuple[str, str]]:
    """Return (file, text) of what to write."""
    size, count = spec.bytes_per_second, spec.operations_per_second
    if unified:
        words = [f"wbps={size}"] * bool(size) + [f"wiops={count}"] * bool(count)
        return [("io.max", " ".join([device, *words]))]
    found = [(_BYTES, f"{device} {size}")] * bool(size)
    return found + [(_OPERATIONS, f"{device} {count}")] * bool(count)


def limited(tree: Tree) -> list[tuple[Path, Mark]]:
    """Return the control groups with a ceiling of ours."""
    top = tree.root if tree.unified else tree.root / "blkio"
    found = ((folder, Mark.find(text)) for folder, text in cgroups.labelled(top))
    return [(folder, mark) for folder, mark in found if mark]


def restore(folder: Path) -> None:
    """Give one control group back what it had before; one that is gone needs nothing."""
    for path, text in cgroups.labelled(folder):
        if path == folder:
            known = json.loads(text.partition(" ")[2])
            _restore(folder, known["device"], known["before"])


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
    """Return what is mounted in a process's view of the file system."""
    lines = (PROC / str(pid) / "mountinfo").read_text().splitlines()
    return [Mount(words[2], words[3], words[4]) for words in map(str.split, lines)]


def device_of(seen: list[Mount], path: str) -> str:
    """Return the device that holds a path; without one, that of the pod's volumes.

    /etc/hosts is such a volume in every container: the kubelet keeps it beside the others.

    Raises:
        AgentError: it is in memory, or on no device of this node.

    """
    if path:
        holding = [m for m in seen if path == m.point or path.startswith(m.point.rstrip("/") + "/")]
        chosen = max(holding, key=lambda m: len(m.point), default=None)
    else:
        volumes = [m for m in seen if "/volumes/kubernetes.io~empty-dir/" in m.root]
        chosen = next(iter([*volumes, *(m for m in seen if m.point == "/etc/hosts")]), None)
    if chosen is None or chosen.device.startswith("0:"):
        raise AgentError(f"{path or 'the pod'} is not on a disk of this node, so it has no ceiling")
    return chosen.device


def whole_disk(device: str) -> str:
    """Return the disk of a partition: the kernel limits whole disks only."""
    entry = _BLOCKS / device
    if not (entry / "partition").exists():
        return device
    return (Path(os.path.realpath(entry)).parent / "dev").read_text().strip()
