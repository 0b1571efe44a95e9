"""The kubelet and the kube-proxy of a node, and their configuration."""

from pathlib import Path

from reme_cluster.files import write_atomically, write_json
from reme_cluster.host.layout import Layout, Node
from reme_cluster.host.pki import node_kubeconfig
from reme_cluster.host.processes import Component


def kubelet(layout: Layout, node: Node, program: Path, holder: int | None) -> Component:
    """Return the kubelet's component; write its configuration."""
    config = node.dir / "kubelet.yaml"
    resolver = node.dir / "resolv.conf"
    if holder is not None:
        # Names outside the cluster cannot be resolved; this address fails at once.
        write_atomically(resolver, "nameserver 127.0.0.1\n")
        write_json(config, _kubelet_config(layout, node, resolver))
    return Component(
        name="kubelet",
        node=node.name,
        argv=(
            str(program),
            f"--config={config}",
            f"--kubeconfig={node_kubeconfig(layout, node)}",
            f"--root-dir={node.dir / 'kubelet'}",
            f"--cert-dir={node.dir / 'kubelet-pki'}",
            f"--hostname-override={node.name}",
            f"--node-ip={node.address}",
        ),
        cgroup=f"{node.cgroup}/system/kubelet",
        record=node.dir / "pids" / "kubelet.json",
        log=layout.logs / node.name / "kubelet.log",
        namespaces_of=holder,
        reads=(config,),
    )


def _kubelet_config(layout: Layout, node: Node, resolver: Path) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "address": str(node.address),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{node.cgroup}",
        "clusterDNS": [str(layout.network.dns)],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": f"unix://{node.containerd_socket}",
        "enforceNodeAllocatable": ["pods"],
        "evictionHard": {
            "memory.available": "200Mi",
            "nodefs.available": "1Gi",
            "imagefs.available": "1Gi",
        },
        "failSwapOn": False,
        # Images were loaded from files and cannot be pulled again: never collect them.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "maxPods": 200,
        "podLogsDir": str(node.dir / "pod-logs"),
        "resolvConf": str(resolver),
        "volumePluginDir": str(node.dir / "volume-plugins"),
        # Tests wait for reports of nodes: report more often than by default.
        "nodeStatusUpdateFrequency": "5s",
        "syncFrequency": "10s",
    }


def kube_proxy(layout: Layout, node: Node, program: Path, holder: int | None) -> Component:
    """Return the kube-proxy's component; write its configuration."""
    config = node.dir / "kube-proxy.yaml"
    if holder is not None:
        write_json(
            config,
            {
                "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
                "kind": "KubeProxyConfiguration",
                "clientConnection": {"kubeconfig": str(layout.pki / "proxy.conf")},
                "clusterCIDR": str(layout.network.pods),
                "hostnameOverride": node.name,
                "mode": "nftables",
                # Settings of the host, which a node must not and often cannot change.
                "conntrack": {"maxPerCore": 0, "min": 0},
            },
        )
    return Component(
        name="kube-proxy",
        node=node.name,
        argv=(str(program), f"--config={config}"),
        cgroup=f"{node.cgroup}/system/kube-proxy",
        record=node.dir / "pids" / "kube-proxy.json",
        log=layout.logs / node.name / "kube-proxy.log",
        namespaces_of=holder,
        reads=(config,),
    )
