"""Reads the status and the logs of a cluster on this host."""

import shutil
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from reme_cluster import binaries
from reme_cluster.commands import run
from reme_cluster.errors import ClusterError, CommandError
from reme_cluster.files import tail
from reme_cluster.host import processes, saved_state
from reme_cluster.host.layout import Layout
from reme_cluster.kubectl import Kubectl
from reme_cluster.provider import ComponentStatus, NodeStatus, Status
from reme_cluster.readiness import is_ready
from reme_cluster.settings import Settings


def api_ready(layout: Layout) -> bool:
    """Return whether the API server has finished its start; needs no credentials."""
    try:
        context = ssl.create_default_context(cafile=str(layout.pki / "ca.crt"))
        with urllib.request.urlopen(  # noqa: S310 - the scheme is https, see Layout.api
            f"{layout.api}/readyz", timeout=5, context=context
        ) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def status(settings: Settings) -> Status:
    """Return the status of a cluster."""
    layout = saved_state.find(settings)
    if layout is None:
        return Status(settings.name, "host", False, str(settings.state_dir), "")
    components = _components(layout)
    api_is_ready = api_ready(layout)
    return Status(
        name=layout.name,
        provider="host",
        running=api_is_ready and all(component.running for component in components),
        state_dir=str(layout.state_dir),
        kubeconfig=str(layout.kubeconfig),
        nodes=_nodes(settings, layout) if api_is_ready else [],
        components=components,
        versions=_versions(),
        network={
            "api": layout.api,
            "subnet": str(layout.subnet),
            "pods": str(layout.network.pods),
            "services": str(layout.network.services),
            "dns": str(layout.network.dns),
            "host": str(layout.network.host),
            "interface": layout.network.interface,
        },
    )


def _components(layout: Layout) -> list[ComponentStatus]:
    components = []
    for node in layout.nodes:
        names = ["namespaces", "containerd", "kubelet", "kube-proxy"]
        if node.index == 0:
            control = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
            names[1:1] = control
        for name in names:
            record = processes.read_record(node.dir / "pids" / f"{name}.json")
            alive = record is not None and record.alive
            log = str(layout.logs / node.name / f"{name}.log")
            pid = record.pid if record and alive else None
            components.append(ComponentStatus(node.name, name, pid, alive, log))
    return components


def _nodes(settings: Settings, layout: Layout) -> list[NodeStatus]:
    program = binaries.path(settings.cache, "kubectl")
    addresses = {node.name: str(node.address) for node in layout.nodes}
    try:
        nodes = Kubectl.of_cluster(program, layout.kubeconfig).list("nodes")
    except CommandError:
        return []
    names = [(node["metadata"]["name"], is_ready(node)) for node in nodes]
    return [NodeStatus(name, addresses.get(name, ""), ready) for name, ready in names]


def _versions() -> dict[str, str]:
    versions = {
        "kubernetes": binaries.version("k8s.io/kubernetes"),
        "etcd": binaries.version("go.etcd.io/etcd/server/v3"),
        "coredns": binaries.version("github.com/coredns/coredns"),
        "metrics-server": binaries.version("sigs.k8s.io/metrics-server"),
        "helm": binaries.version("helm.sh/helm/v3"),
    }
    for program in ("containerd", "runc"):
        try:
            words = run([program, "--version"]).split()
        except CommandError:
            continue
        versions[program] = words[2]
    return versions


def logs(layout: Layout, component: str | None, lines: int) -> str:
    """Return the end of one component's log on every node, or of all components.

    Raises:
        ClusterError: the component has no log.
    """
    files = [
        path
        for path in sorted(layout.logs.glob("*/*.log"))
        if component is None or component in (path.stem, f"{path.parent.name}/{path.stem}")
    ]
    if not files:
        names = sorted({path.stem for path in layout.logs.glob("*/*.log")})
        raise ClusterError(f"no log of {component!r}; there are logs of: {', '.join(names)}")
    texts = [f"==> {path} <==\n{tail(path, lines)}" for path in files]
    return texts[0].split("\n", 1)[1] if len(texts) == 1 else "\n\n".join(texts)


def copy_logs(layout: Layout, directory: Path) -> None:
    """Copy the components' logs and configuration, but no keys."""
    directory.mkdir(parents=True, exist_ok=True)
    for path in layout.logs.glob("*/*.log*"):
        target = directory / "components" / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    for node in layout.nodes:
        for name in ("containerd.toml", "kubelet.yaml", "kube-proxy.yaml", "images.json"):
            if (node.dir / name).exists():
                shutil.copy(node.dir / name, directory / "components" / node.name / name)
