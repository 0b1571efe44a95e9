"""What the agents are in the cluster: a namespace, a secret, and a DaemonSet."""

import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

_FILE = Path(__file__).parents[1] / "manifests" / "fault-agent.yaml"
Object = dict[str, Any]


def manifest(image: str = "") -> Sequence[Object]:
    """Return the namespace and the DaemonSet of the agents, of another image when one is named."""
    namespace, daemon_set = yaml.safe_load_all(_FILE.read_text())
    template = daemon_set["spec"]["template"]
    if image:
        template["spec"]["containers"][0]["image"] = image
    # An image that was built anew has the same name: agents of other code are replaced.
    template["metadata"]["annotations"] = {"reme.dev/agent-source": _source()}
    return namespace, daemon_set


def _source() -> str:
    """Return a digest of the code that runs on the nodes."""
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted([here / "specs.py", here / "fault_tag.py", *here.glob("agent/*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def secret(namespace: str, name: str, cluster: str) -> Object:
    """Return a secret with a new token, and the name that marks this cluster's faults."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": {"token": secrets.token_urlsafe(32), "cluster": cluster},
    }
