"""Makes the cluster's certificates and kubeconfigs, with kubeadm."""

import json
import os
import shutil
from pathlib import Path

from reme_cluster import binaries
from reme_cluster.commands import run
from reme_cluster.files import write_atomically
from reme_cluster.host.layout import API_PORT, Layout, Node

_TEN_YEARS = "87600h0m0s"


def ensure(layout: Layout, kubeadm: Path) -> None:
    """Make all certificates, keys and kubeconfigs that are not there yet.

    They are written atomically: a crash leaves all of them or none.

    Raises:
        CommandError: kubeadm failed.
    """
    if not layout.pki.exists():
        temporary = layout.state_dir / f".pki.{os.getpid()}"
        for leftover in layout.state_dir.glob(".pki.*"):
            shutil.rmtree(leftover)
        config = _write_config(layout, temporary)
        words = ["--config", str(config)]
        run([str(kubeadm), "init", "phase", "certs", "all", *words])
        for user in ("admin", "super-admin", "controller-manager", "scheduler"):
            directory = ["--kubeconfig-dir", str(temporary)]
            run([str(kubeadm), "init", "phase", "kubeconfig", user, *words, *directory])
        proxy = _user(kubeadm, config, "system:kube-proxy")
        write_atomically(temporary / "proxy.conf", proxy, mode=0o600)
        temporary.rename(layout.pki)
    for node in layout.nodes:
        _ensure_node(layout, kubeadm, node)
    if not layout.kubeconfig.exists():
        admin = (layout.pki / "admin.conf").read_text()
        kubeconfig = admin.replace(f"kubernetes-admin@{layout.name}", layout.name)
        write_atomically(layout.kubeconfig, kubeconfig, mode=0o600)


def _ensure_node(layout: Layout, kubeadm: Path, node: Node) -> None:
    """Make the kubeconfig of a node's kubelet."""
    path = node_kubeconfig(layout, node)
    if not path.exists():
        config = _write_config(layout, layout.pki)
        text = _user(kubeadm, config, f"system:node:{node.name}", "--org", "system:nodes")
        write_atomically(path, text, mode=0o600)


def node_kubeconfig(layout: Layout, node: Node) -> Path:
    """Return the path of a kubelet's kubeconfig."""
    return layout.pki / f"kubelet-{node.index}.conf"


def _user(kubeadm: Path, config: Path, name: str, *more: str) -> str:
    words = ["kubeconfig", "user", "--config", str(config), "--client-name", name, *more]
    return run([str(kubeadm), *words])


def _write_config(layout: Layout, pki: Path) -> Path:
    """Write kubeadm's configuration for certificates in the given directory."""
    first = layout.nodes[0]
    version = "kubeadm.k8s.io/v1beta4"
    documents = [
        {
            "apiVersion": version,
            "kind": "InitConfiguration",
            "localAPIEndpoint": {"advertiseAddress": str(first.address), "bindPort": API_PORT},
            "nodeRegistration": {"name": first.name},
        },
        {
            "apiVersion": version,
            "kind": "ClusterConfiguration",
            "clusterName": layout.name,
            "kubernetesVersion": binaries.version("k8s.io/kubernetes"),
            "certificatesDir": str(pki),
            "encryptionAlgorithm": "ECDSA-P256",  # faster to make than RSA
            "certificateValidityPeriod": _TEN_YEARS,
            "caCertificateValidityPeriod": _TEN_YEARS,
            "controlPlaneEndpoint": f"{first.address}:{API_PORT}",
            "networking": {
                "podSubnet": str(layout.network.pods),
                "serviceSubnet": str(layout.network.services),
            },
        },
    ]
    path = pki / "kubeadm.yaml"
    write_atomically(path, "\n---\n".join(json.dumps(document) for document in documents))
    return path
