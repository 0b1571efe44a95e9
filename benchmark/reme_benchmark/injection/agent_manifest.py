"""The Kubernetes objects of the fault agents: a Namespace, a Secret and a DaemonSet."""

import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

_FILE = Path(__file__).parents[1] / "manifests" / "fault-agent.yaml"
Object = dict[str, Any]


def manifest(image: str = "") -> Sequence[Object]:
    """Return the Namespace and the DaemonSet of the agents; `image` replaces the default image."""
    namespace, daemon_set = yaml.safe_load_all(_FILE.read_text())
    template = daemon_set["spec"]["template"]
    if image:
        template["spec"]["containers"][0]["image"] = image
    # A rebuilt image keeps its name: the digest makes the DaemonSet replace its pods.
    template["metadata"]["annotations"] = {"reme.dev/agent-source": _source()}
    return namespace, daemon_set


def _source() -> str:
    """Return a digest of the code that runs on the nodes."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted([folder / "specs.py", folder / "fault_tag.py", *folder.glob("agent/*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def secret(namespace: str, name: str, cluster: str) -> Object:
    """Return a Secret with a new token and the name of the cluster for the tags of its faults."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": {"token": secrets.token_urlsafe(32), "cluster": cluster},
    }
