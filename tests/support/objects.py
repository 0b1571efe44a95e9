"""Valid objects of reme's kinds, as small as they can be, to be bent by tests."""

import copy
import uuid
from typing import Any

Object = dict[str, Any]

_TARGET = {"kind": "Deployment", "name": "cart"}
_FAULT = {"type": "oom"}
_PROBE = {"name": "up", "http": {"service": "cart", "port": 8080}}

SPECS: dict[str, Object] = {
    "DiagnosisReport": {"target": _TARGET, "fault": _FAULT, "probes": [_PROBE]},
    "RemediationPolicy": {"mode": "Auto", "actions": [{"name": "Restart"}]},
    "Remediation": {
        "reportRef": {"name": "r", "uid": "u", "generation": 1},
        "target": _TARGET,
        "fault": _FAULT,
        "probes": [_PROBE],
        "policy": {"name": "p", "namespace": "shop", "spec": {"mode": "Auto"}},
    },
    "RunGrant": {
        "username": "system:serviceaccount:reme-system:reme-12345678-1",
        "notAfter": "2026-01-01T00:00:00.000Z",
        "rules": [
            {
                "group": "apps",
                "resource": "deployments",
                "namespace": "shop",
                "name": "cart",
                "verbs": ["UPDATE"],
                "fields": ["spec.replicas"],
            }
        ],
    },
}


def made(kind: str, namespace: str, **spec: Any) -> Object:
    """Return an object of a kind under a new name, with these fields of its spec replaced."""
    return {
        "apiVersion": "reme.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": f"t-{uuid.uuid4().hex[:10]}", "namespace": namespace},
        "spec": copy.deepcopy(SPECS[kind]) | spec,
    }
