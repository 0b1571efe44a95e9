"""Starts the components of a cluster in the order of their dependencies.

Every step changes only what is missing, so running all of them again repairs a cluster.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from reme_cluster import progress, readiness
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


def make_nodes(layout: Layout) -> list[int]:
    """Make the nodes' namespaces and links; return the id of the process that holds each node.

    Raises:
        CommandError: the kernel refuses a namespace, a mount or an interface.
    """
    with progress.step(f"nodes and network {layout.subnet}"):
        for node in layout.nodes:
            cgroups.create(node.cgroup)
        holders = [namespaces.ensure(layout, node) for node in layout.nodes]
        network.connect(layout, holders)
    return holders


class Startup:
    """One start of all components."""

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
        self._control_plane = ControlPlane(layout, programs, holders[0])
        self._timeout_seconds = timeout_seconds
        self._kubectl = Kubectl.of_cluster(programs["kubectl"], layout.kubeconfig)
        self._started: list[Component] = []
        # When each node's kubelet started, in seconds since 1970.
        self._kubelet_starts: dict[str, float] = {}

    def run(self) -> None:
        """Start every component that does not run, and wait until it works.

        Raises:
            ClusterError: a component ended or does not work in time.
        """
        with progress.step("certificates"):
            pki.ensure(self._layout, self._programs["kubeadm"])
        with progress.step("etcd, API server, containerd"):
            self._start(self._control_plane.etcd())
            self._start(self._control_plane.api_server())
            for node, holder in self._nodes:
                self._start(containerd.component(self._layout, node, holder))
        with progress.step("images of the cluster's programs"):
            self._wait("containerd", lambda: all(map(containerd.answers, self._layout.nodes)))
            addons.ensure_images(self._layout, self._programs)
        with progress.step("API server ready"):
            self._wait("the API server", lambda: status.api_ready(self._layout))
            super_admin = self._layout.pki / "super-admin.conf"
            addons.ensure_admins(Kubectl.of_cluster(self._programs["kubectl"], super_admin))
        with progress.step("controllers, kubelets, proxies"):
            self._start(self._control_plane.controller_manager())
            self._start(self._control_plane.scheduler())
            for node, holder in self._nodes:
                kubelet_args = (self._layout, node, self._programs["kubelet"], holder)
                self._start(kubelet.kubelet(*kubelet_args), self._kubelet_starts)
                proxy_args = (self._layout, node, self._programs["kube-proxy"], holder)
                self._start(kubelet.kube_proxy(*proxy_args))
        with progress.step("cluster DNS and metrics server"):
            addons.apply(self._layout, self._kubectl, self._programs)
        with progress.step("nodes ready"):
            self._wait("the nodes", self._all_nodes_ready)
        with progress.step("DNS ready, metrics server running"):
            self._wait("cluster DNS", lambda: dns.answers(str(self._layout.network.dns)))
            self._wait(
                "metrics server", lambda: readiness.is_started(self._kubectl, "metrics-server")
            )

    def wait_for_metrics(self) -> None:
        """Wait until `kubectl top` works, which needs two measurements.

        Raises:
            ClusterError: it does not work in time.
        """
        node_count = len(self._nodes)
        with progress.step("metrics"):
            self._wait("metrics", lambda: readiness.has_metrics(self._kubectl, node_count))

    def _all_nodes_ready(self) -> bool:
        ready = readiness.ready_nodes(self._kubectl, self._kubelet_starts)
        return ready >= set(self._kubelet_starts)

    def _start(self, component: Component, start_times: dict[str, float] | None = None) -> None:
        record = processes.ensure(component)
        self._started.append(component)
        if start_times is not None:
            start_times[component.node] = record.started_at

    def _wait(self, what: str, ready: Callable[[], bool]) -> None:
        """Wait until something is ready; raise ClusterError as soon as a component has ended."""

        def is_ready() -> bool:
            for component in self._started:
                processes.require_alive(component)
            return ready()

        processes.wait_until(is_ready, what, seconds=self._timeout_seconds)
