"""What the gate says to a hostile playbook: the compiler first, then the policy and the cluster."""

import json
from typing import Any

from reme_api.actions import ActionName
from reme_api.policy import ActionRule, RemediationPolicySpec
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.policy.validation import validate
from reme_playbook.snapshot.object_ref import PLURALS, ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from tests.attack.attack import Object
from tests.e2e.sandbox.conftest import RunAdmission

PASSED = "let through"

# The widest that a policy can say: what is refused here, no policy allows.
EVERYTHING = RemediationPolicySpec(actions=[ActionRule(name=name) for name in ActionName])


def rejecting_rule(playbook: list[Object], live: ClusterSnapshot, release_namespace: str) -> str:
    """Return the rule by which a playbook is rejected, or that it is let through."""
    try:
        actions = compile_playbook(json.dumps(playbook))
        validate(actions, EVERYTHING, live, release_namespace=release_namespace)
    except RejectedPlaybookError as error:
        return str(error.rule)
    return PASSED


def shop_snapshot(admission: RunAdmission) -> ClusterSnapshot:
    """Return the shop around cart, from the objects that are there."""
    target = ObjectRef("Deployment", admission.shop, "cart")
    objects: dict[ObjectRef, Any] = {}
    labels: dict[ObjectRef, Any] = {}
    for kind, version in (
        ("Deployment", "apis/apps/v1"),
        ("StatefulSet", "apis/apps/v1"),
        ("Service", "api/v1"),
        ("ConfigMap", "api/v1"),
        ("Pod", "api/v1"),
    ):
        path = f"/{version}/namespaces/{admission.shop}/{PLURALS[kind]}"
        for item in admission.api("GET", path).body["items"]:
            key = ObjectRef(kind, admission.shop, item["metadata"]["name"])  # type: ignore[arg-type]
            objects[key] = item
            if kind.endswith("Set") or kind == "Deployment":
                labels[key] = item["spec"]["template"]["metadata"]["labels"]
    labels.pop(target)
    services = tuple(key.name for key in objects if key.kind == "Service")
    return ClusterSnapshot(
        target=target, objects=objects, neighbours=labels, service_names=services
    )
