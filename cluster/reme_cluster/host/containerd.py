"""The containerd of a node: its configuration, and its client `ctr`."""

import json
import shutil
from pathlib import Path

from reme_cluster.commands import run, succeeds
from reme_cluster.files import write_atomically, write_json
from reme_cluster.host.layout import Layout, Node
from reme_cluster.host.prerequisites import cni_plugins
from reme_cluster.host.processes import Component

PAUSE_IMAGE = "localhost/reme-cluster/pause:1"
_CAP_SYS_RESOURCE = 24


def component(layout: Layout, node: Node, holder: int | None) -> Component:
    """Return containerd's component; write its configuration and that of the pods' network."""
    config = node.dir / "containerd.toml"
    if holder is not None:
        write_atomically(config, _config(node))
        write_json(node.dir / "cni" / "10-reme.conflist", _network(node))
    return Component(
        name="containerd",
        node=node.name,
        argv=(shutil.which("containerd") or "containerd", "--config", str(config)),
        cgroup=f"{node.cgroup}/system/containerd",
        record=node.dir / "pids" / "containerd.json",
        log=layout.logs / node.name / "containerd.log",
        namespaces_of=holder,
        reads=(config,),
    )


def _config(node: Node) -> str:
    unused = ("aufs", "btrfs", "devmapper", "native", "zfs")
    lines = [
        "version = 2",
        f"root = {_quote(node.dir / 'containerd')}",
        # The node has its own /run, which is empty after a start of the machine.
        'state = "/run/containerd"',
        f"disabled_plugins = {json.dumps([f'io.containerd.snapshotter.v1.{n}' for n in unused])}",
        "[grpc]",
        f"address = {_quote(node.containerd_socket)}",
        '[plugins."io.containerd.grpc.v1.cri"]',
        f'sandbox_image = "{PAUSE_IMAGE}"',
        # Without this capability every container that lowers its OOM score fails.
        f"restrict_oom_score_adj = {json.dumps(not _may_protect_from_oom())}",
        "netns_mounts_under_state_dir = true",
        '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]',
        'runtime_type = "io.containerd.runc.v2"',
        '[plugins."io.containerd.grpc.v1.cri".cni]',
        f"bin_dir = {_quote(cni_plugins())}",
        f"conf_dir = {_quote(node.dir / 'cni')}",
    ]
    return "\n".join(lines) + "\n"


def _quote(path: Path | None) -> str:
    return json.dumps(str(path))


def _may_protect_from_oom() -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> _CAP_SYS_RESOURCE & 1)
    return False


def _network(node: Node) -> dict[str, object]:
    """Return the CNI configuration: point-to-point links, so that no bridge filter applies."""
    addresses = {
        "type": "host-local",
        "dataDir": "/run/cni-addresses",
        "ranges": [[{"subnet": str(node.pods)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {
        "cniVersion": "0.4.0",
        "name": "reme",
        "plugins": [
            {"type": "ptp", "mtu": 1500, "ipMasq": False, "ipam": addresses},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def ctr(node: Node, *arguments: str | Path, timeout_seconds: float = 60) -> str:
    """Run a command of containerd's client in the namespace of Kubernetes."""
    client = ["ctr", "--address", str(node.containerd_socket), "--namespace", "k8s.io"]
    return run([*client, *map(str, arguments)], timeout_seconds=timeout_seconds)


def answers(node: Node) -> bool:
    """Return whether containerd is ready."""
    return succeeds(["ctr", "--address", node.containerd_socket, "version"], timeout_seconds=5)
