"""Runs cluster DNS and the metrics server, from images of the built programs."""

from pathlib import Path

from reme_cluster.host import images
from reme_cluster.host.containerd import PAUSE_IMAGE
from reme_cluster.host.layout import Layout
from reme_cluster.kubectl import Kubectl, apply_manifests

DEPLOYMENTS = ("coredns", "metrics-server")


def image_name(program: Path) -> str:
    """Return the name of a program's image; a new build gets a new name."""
    return f"localhost/reme-cluster/{program.name}:{program.parent.name}"


def ensure_images(layout: Layout, programs: dict[str, Path]) -> None:
    """Load the images of the cluster's own programs into every node.

    Raises:
        CommandError: containerd refused one.
    """
    for node in layout.nodes:
        images.ensure_program_image(node, PAUSE_IMAGE, programs["pause"])
        for name in DEPLOYMENTS:
            images.ensure_program_image(node, image_name(programs[name]), programs[name])


def ensure_admins(kubectl: Kubectl) -> None:
    """Bind the group of kubeadm's admin certificates to the role cluster-admin.

    Raises:
        CommandError: the API server refused it.
    """
    group = "rbac.authorization.k8s.io"
    name = "kubeadm:cluster-admins"
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": group, "kind": "Group", "name": name}],
    }
    kubectl.ensure_raw(f"/apis/{group}/v1/clusterrolebindings", binding)


def apply(layout: Layout, kubectl: Kubectl, programs: dict[str, Path]) -> None:
    """Create or update the objects of the addons.

    Raises:
        CommandError: the API server refused one.
    """
    apply_manifests(
        kubectl,
        "coredns.yaml",
        "metrics-server.yaml",
        DNS_ADDRESS=str(layout.network.dns),
        COREDNS_IMAGE=image_name(programs["coredns"]),
        METRICS_SERVER_IMAGE=image_name(programs["metrics-server"]),
    )
