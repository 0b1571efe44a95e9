"""The Ansible modules of the playbook language, and the one form of a play that runs."""

from typing import Any

K8S = "kubernetes.core.k8s"
K8S_SCALE = "kubernetes.core.k8s_scale"
K8S_ROLLBACK = "kubernetes.core.k8s_rollback"
K8S_JSON_PATCH = "kubernetes.core.k8s_json_patch"
K8S_TAINT = "kubernetes.core.k8s_taint"
K8S_DRAIN = "kubernetes.core.k8s_drain"
REME_ROLLBACK = "reme_rollback"

MERGE_TYPE = ["strategic-merge"]
"""Without it a patch that fails is tried again as a JSON merge patch, which replaces whole lists:
all the other containers, variables and ports would be lost."""
PLAY: dict[str, Any] = {"hosts": "localhost", "connection": "local", "gather_facts": False}

Task = dict[str, Any]
