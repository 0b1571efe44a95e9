"""The pod of a run, which meets the `restricted` Pod Security Standard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reme_api.policy import Sandbox
from reme_playbook.execution.runner_contract import (
    INPUT_DIRECTORY,
    TERMINATION_GRACE_SECONDS,
    TOKEN_DIRECTORY,
    Variable,
)

USER = 65532
TOKEN_SECONDS = 600
"""The shortest lifetime that Kubernetes allows for a token, which also ends with the pod."""
REQUESTED_SHARE = 4
"""The CPU request is this fraction of the limit: a run must progress on an overloaded node."""


@dataclass(frozen=True)
class PodOptions:
    """What the administrator configures for the pods of runs."""

    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: Sequence[str] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ()
    priority_class_name: str = ""
    runtime_class_name: str = ""


def pod_spec(
    *,
    run: str,
    input_config_map: str,
    image: str,
    environment: Mapping[str, str],
    limits: Sandbox,
    options: PodOptions,
) -> dict[str, Any]:
    """Return the spec of a run's pod."""
    spec: dict[str, Any] = {
        "serviceAccountName": run,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": TERMINATION_GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(image, environment, limits, options)],
        "volumes": [
            {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
            {"name": "input", "configMap": {"name": input_config_map, "defaultMode": 0o440}},
            {"name": "token", "projected": {"defaultMode": 0o440, "sources": _token()}},
        ],
    }
    if options.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in options.image_pull_secrets]
    if options.node_selector:
        spec["nodeSelector"] = dict(options.node_selector)
    if options.tolerations:
        spec["tolerations"] = [dict(each) for each in options.tolerations]
    if options.priority_class_name:
        spec["priorityClassName"] = options.priority_class_name
    if options.runtime_class_name:
        spec["runtimeClassName"] = options.runtime_class_name
    return spec


def _container(
    image: str, environment: Mapping[str, str], limits: Sandbox, options: PodOptions
) -> dict[str, Any]:
    memory = f"{limits.memory_mebibytes}Mi"
    pod_name = {"fieldRef": {"fieldPath": "metadata.name"}}
    return {
        "name": "runner",
        "image": image,
        "imagePullPolicy": options.image_pull_policy,
        "env": [
            *({"name": name, "value": value} for name, value in environment.items()),
            {"name": Variable.POD_NAME.value, "valueFrom": pod_name},
        ],
        "resources": {
            # Memory is requested in full, so that the node does not evict the run for it.
            "requests": {
                "cpu": f"{limits.cpu_millicores // REQUESTED_SHARE}m",
                "memory": memory,
            },
            "limits": {"cpu": f"{limits.cpu_millicores}m", "memory": memory},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePolicy": "File",
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 (the pod's own)
            {"name": "input", "mountPath": INPUT_DIRECTORY, "readOnly": True},
            {"name": "token", "mountPath": TOKEN_DIRECTORY, "readOnly": True},
        ],
    }


def _token() -> list[dict[str, Any]]:
    namespace = {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}
    return [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": TOKEN_SECONDS}},
        {
            "configMap": {
                "name": "kube-root-ca.crt",
                "items": [{"key": "ca.crt", "path": "ca.crt"}],
            }
        },
        {"downwardAPI": {"items": [namespace]}},
    ]
