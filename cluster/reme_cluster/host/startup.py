"""Starts the components of a cluster in the order in which they need each other.

Every step finds out whether it is done, so running all of them again repairs what is broken.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from reme_cluster import progress
from reme_cluster.host import (
    addons,
    cgroups,
    containerd,
    dns,
    kubelet,
    namespaces,
    network,
    pki,
    processes,
    status,
)
from reme_cluster.host.control_plane import ControlPlane
from reme_cluster.host.layout import Layout
from reme_cluster.host.processes import Component
from reme_cluster.kubectl import Kubectl


def connect(layout: Layout) -> list[int]:
    """Make the nodes' namespaces and links; return the process that holds each.

    Raises:
        CommandError: the kernel refuses a namespace, a mount or an interface.
    """
    with progress.step(f"nodes and network {layout.subnet}"):
        for node in layout.nodes:
            cgroups.create(node.cgroup)
        holders = [namespaces.ensure(layout, node) for node in layout.nodes]
        network.connect(layout, holders)
    return holders


class Start:
    """One run through all steps."""

    def __init__(
        self,
        layout: Layout,
        programs: dict[str, Path],
        holders: Sequence[int],
        timeout_seconds: int,
    ) -> None:
        self._layout = layout
        self._programs = programs
        self._nodes = tuple(zip(layout.nodes, holders, strict=True))
        self._control = ControlPlane(layout, programs, holders[0])
        self._timeout_seconds = timeout_seconds
        self._kubectl = Kubectl(programs["kubectl"], layout.kubeconfig)
        self._started: list[Component] = []
        self._kubelets_since: dict[str, float] = {}

    def run(self) -> None:
        """Start everything that does not run, and wait until it works.

        Raises:
            ClusterError: a component died or does not work in time.
        """
        with progress.step("certificates"):
            pki.ensure(self._layout, self._programs["kubeadm"])
        with progress.step("etcd, API server, containerd"):
            self._start(self._control.etcd())
            self._start(self._control.api_server())
            for node, holder in self._nodes:
                self._start(containerd.component(self._layout, node, holder))
        with progress.step("images of the cluster itself"):
            self._wait("containerd", self._containerds_answer)
            addons.ensure_images(self._layout, self._programs)
        with progress.step("API server ready"):
            self._wait("the API server", lambda: status.api_ready(self._layout))
            super_admin = self._layout.pki / "super-admin.conf"
            addons.ensure_admins(Kubectl(self._programs["kubectl"], super_admin))
        with progress.step("controllers, kubelets, proxies"):
            self._start(self._control.controller_manager())
            self._start(self._control.scheduler())
            agent, proxy = self._programs["kubelet"], self._programs["kube-proxy"]
            for node, holder in self._nodes:
                self._start(kubelet.kubelet(self._layout, node, agent, holder))
                self._start(kubelet.kube_proxy(self._layout, node, proxy, holder))
        with progress.step("cluster DNS and metrics server"):
            addons.apply(self._layout, self._kubectl, self._programs)
        with progress.step("nodes ready"):
            self._wait("the nodes", self._nodes_are_ready)
        with progress.step("DNS ready, metrics server running"):
            self._wait("cluster DNS", lambda: dns.answers(str(self._layout.network.dns)))
            self._wait("metrics server", lambda: self._kubectl.is_started("metrics-server"))

    def wait_metrics(self) -> None:
        """Wait until `kubectl top` works: the metrics server measures twice first.

        Raises:
            ClusterError: it does not, in time.
        """
        with progress.step("metrics"):
            self._wait("metrics", lambda: self._kubectl.has_metrics(len(self._nodes)))

    def _containerds_answer(self) -> bool:
        return all(containerd.answers(node) for node in self._layout.nodes)

    def _nodes_are_ready(self) -> bool:
        return self._kubectl.ready_nodes(self._kubelets_since) >= set(self._kubelets_since)

    def _start(self, component: Component) -> None:
        record = processes.ensure(component)
        self._started.append(component)
        if component.name == "kubelet":
            self._kubelets_since[component.node] = record.started_at

    def _wait(self, what: str, ready: Callable[[], bool]) -> None:
        """Wait until something works, but not for a component that died."""

        def ready_and_nobody_died() -> bool:
            for component in self._started:
                processes.require_alive(component)
            return ready()

        processes.wait_until(ready_and_nobody_died, what, seconds=self._timeout_seconds)
