"""Makes a node: a sleeping process that holds a network namespace and a mount namespace.

All programs of the node run inside, so that mounts and interfaces of pods are not visible on
the host and end with the last process. Directories and settings with fixed paths are mounted
over, so that each node has its own.
"""

from pathlib import Path

from reme_cluster.commands import run
from reme_cluster.host import cgroups, processes
from reme_cluster.host.layout import Layout, Node

# Fixed paths of programs; `down` removes those that are empty. Not while a node runs: removing
# a mount point unmounts it in every other namespace.
MOUNT_POINTS = (Path("/var/lib/cni"), Path("/var/lib/kubelet"))
_READY = "run/reme-node"
# The kubelet requires these and would change them for the whole host: it gets files instead.
_KUBELET_WANTS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def component(layout: Layout, node: Node) -> processes.Component:
    """Return the component of the process that holds the namespaces."""
    return processes.Component(
        name="namespaces",
        node=node.name,
        argv=("unshare", "--net", "--mount", "--propagation", "slave", "sleep", "infinity"),
        cgroup=f"{node.cgroup}/system/namespaces",
        record=node.dir / "pids" / "namespaces.json",
        log=layout.logs / node.name / "namespaces.log",
    )


def ensure(layout: Layout, node: Node) -> int:
    """Return the id of the process that holds the node's namespaces; make them if needed.

    Raises:
        CommandError: the kernel refuses a namespace or a mount.
    """
    holder = component(layout, node)
    record = processes.ensure(holder)
    if not (Path(f"/proc/{record.pid}/root") / _READY).exists():
        # New, or incomplete after a killed command: start again. Processes in the old
        # namespaces cannot be reached any more.
        cgroups.kill(node.cgroup)
        record = processes.ensure(holder)
        _wait_for_namespaces(record.pid)
        _mount_directories(node, record.pid)
    return record.pid


def _wait_for_namespaces(pid: int) -> None:
    """Wait until the new process is in namespaces of its own."""
    ours = {name: Path(f"/proc/self/ns/{name}").readlink() for name in ("net", "mnt")}
    processes.wait_until(
        lambda: all(Path(f"/proc/{pid}/ns/{name}").readlink() != ours[name] for name in ours),
        "the node's namespaces",
        seconds=10,
    )
    processes.wait_until(
        lambda: Path(f"/proc/{pid}/comm").read_text().strip() == "sleep", "the node", seconds=10
    )


def _mount_directories(node: Node, pid: int) -> None:
    """Mount the node's own directories and settings at fixed paths."""

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
    # Last: marks the node as complete.
    run(["nsenter", "-t", str(pid), "-m", "--", "touch", f"/{_READY}"])
