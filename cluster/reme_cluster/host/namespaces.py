"""Makes a node: a sleeping process that holds a network and a mount namespace.

Everything of the node runs inside, so mounts and interfaces of pods never show on the host and
vanish with the last process. In the node's own view of the file system, the directories and
settings whose place is fixed in the programs belong to the node alone.
"""

from pathlib import Path

from reme_cluster.commands import run
from reme_cluster.host import cgroups, processes
from reme_cluster.host.layout import Layout, Node

# Where programs keep things whatever they are told; `down` removes what is empty of these.
# Not while a node lives: removing a mount point unmounts it in every other namespace.
MOUNT_POINTS = (Path("/var/lib/cni"), Path("/var/lib/kubelet"))
_READY = "run/reme-node"
# kubelet insists on these and would change them for the whole host: it sees files instead.
_KUBELET_WANTS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def component(layout: Layout, node: Node) -> processes.Component:
    """Describe the process that holds the namespaces."""
    return processes.Component(
        name="namespaces",
        node=node.name,
        argv=("unshare", "--net", "--mount", "--propagation", "slave", "sleep", "infinity"),
        cgroup=f"{node.cgroup}/system/namespaces",
        record=node.dir / "pids" / "namespaces.json",
        log=layout.logs / node.name / "namespaces.log",
    )


def ensure(layout: Layout, node: Node) -> int:
    """Return the process that holds the node's namespaces, making them if needed.

    Raises:
        CommandError: the kernel refuses a namespace or a mount.
    """
    holder = component(layout, node)
    record = processes.ensure(holder)
    if not (Path(f"/proc/{record.pid}/root") / _READY).exists():
        # New, or half made by a command that was killed: begin again from nothing.
        # What still lives in the old namespaces cannot be reached any more.
        cgroups.kill(node.cgroup)
        record = processes.ensure(holder)
        _wait_separate(record.pid)
        _furnish(node, record.pid)
    return record.pid


def _wait_separate(pid: int) -> None:
    """Wait until the new process left our namespaces."""
    ours = {name: Path(f"/proc/self/ns/{name}").readlink() for name in ("net", "mnt")}
    processes.wait_until(
        lambda: all(Path(f"/proc/{pid}/ns/{name}").readlink() != ours[name] for name in ours),
        "the node's namespaces",
        seconds=10,
    )
    processes.wait_until(
        lambda: Path(f"/proc/{pid}/comm").read_text().strip() == "sleep", "the node", seconds=10
    )


def _furnish(node: Node, pid: int) -> None:
    """Give the node its own view of what programs use at fixed places."""

    def mount(*words: str | Path) -> None:
        run(["nsenter", "-t", str(pid), "-m", "--", "mount", *words])

    mount("--make-rshared", "/")
    for directory in (Path("/run"), Path("/var/log"), *MOUNT_POINTS):
        directory.mkdir(parents=True, exist_ok=True)
        mount("-t", "tmpfs", "-o", "mode=755", f"reme-{node.name}", directory)
    masks = node.dir / "sysctl"
    for setting, value in _KUBELET_WANTS.items():
        mask = masks / setting.replace("/", ".")
        mask.parent.mkdir(parents=True, exist_ok=True)
        mask.write_text(f"{value}\n")
        if (Path("/proc/sys") / setting).exists():
            mount("--bind", mask, Path("/proc/sys") / setting)
    # Last, and it says that all of the above is there.
    run(["nsenter", "-t", str(pid), "-m", "--", "touch", f"/{_READY}"])
