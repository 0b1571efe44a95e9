"""What the compiler says: what is wrong, in the words of the playbook, and what to write."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from reme_api.validation import pattern_message
from reme_playbook.actions.registry import CLASSES
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.errors import RejectedPlaybookError
from tests.unit.playbook.tasks import HEAD, in_container, patched, task

INGRESS = HEAD | {"kind": "Ingress"}


def message_of(*tasks: Any) -> str:
    with pytest.raises(RejectedPlaybookError) as caught:
        compile_playbook(json.dumps(list(tasks)))
    return caught.value.message


def config(data: dict[str, Any]) -> dict[str, Any]:
    return patched({"data": data}, kind="ConfigMap")


MESSAGES: dict[str, tuple[Any, str]] = {
    "keyword": (
        {"become": True, **task()},
        "the keyword 'become' is not allowed: a task has only a name and one module",
    ),
    "loop": ({"with_items": [1], **task()}, "the keyword 'with_items' is not allowed"),
    "module": ({"shell": "ls"}, "the module 'shell' is not allowed: use k8s, k8s_scale,"),
    "forbidden-kind": (
        {"k8s": {"kind": "Secret", "name": "cart"}},
        "the kind 'Secret' is not allowed: actions exist for Deployment,",
    ),
    "forbidden-kind-of-cluster": (
        {"k8s": {"kind": "ClusterRole", "name": "admin"}},
        "the kind 'ClusterRole' is not allowed",
    ),
    "namespace": (
        {"k8s": {"kind": "Deployment", "name": "cart"}},
        "the namespace of the Deployment is missing: add the parameter namespace",
    ),
    "node": (
        {"k8s_drain": {"state": "uncordon"}},
        "the name of the Node is missing: add the parameter name",
    ),
    "name": (
        patched({"spec": {"replicas": 2}}, name="A b"),
        "'A b' in the namespace 'shop' is not the name of a Deployment",
    ),
    "disagree": (
        patched({"kind": "Pod", "spec": {}}),
        "the kind of the object is 'Deployment' as a parameter and 'Pod' in the definition",
    ),
    "field": (
        patched({"spec": {"x": 1}}),
        "'spec.x' may not be written: no action changes it",
    ),
    "zero": (task("k8s_scale", replicas=0), "replicas must be at least 1"),
    "count": (task("k8s_scale", replicas="3"), "Scale: replicas must be an integer"),
    "image": (
        in_container({"name": "app", "image": "a b"}),
        "SetImage: image must be the reference of an image, such as registry/name:tag",
    ),
    "quantity": (
        in_container({"name": "app", "resources": {"limits": {"memory": "much"}}}),
        "SetResources: memoryLimit must be a quantity, such as 250m or 64Mi",
    ),
    "port": (
        in_container({"name": "app", "livenessProbe": {"httpGet": {"port": "a b"}}}),
        "PatchProbe: port must be an integer or be a DNS label",
    ),
    "key": (config({"a b": "x"}), "SetConfigValue: key must have letters, digits and -._ only"),
    "kind-of-action": (
        {"k8s_rollback": HEAD | {"kind": "Service"}},
        "Rollback: not possible for a Service, only for DaemonSet, Deployment, StatefulSet",
    ),
    "json-patch": (
        {"k8s_json_patch": INGRESS | {"patch": [{"op": "add", "path": "/spec/x", "value": 1}]}},
        "this patch of Ingress cart is not allowed: only the backend of an Ingress path",
    ),
    "deletion": (
        task(state="absent"),
        "a Deployment may not be deleted: state 'absent' is allowed for a Pod only",
    ),
}


@pytest.mark.parametrize(("written", "expected"), MESSAGES.values(), ids=MESSAGES)
def test_a_message_says_what_is_wrong_and_what_to_write(written: Any, expected: str) -> None:
    assert expected in message_of(written)


def patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("patternProperties", {})
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
    for value in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(value, dict | list):
            yield from patterns(value)


def test_no_message_shows_a_regular_expression() -> None:
    """Names of targets are checked before an action is built, with a message of their own."""
    of_fields = {
        pattern
        for action in CLASSES.values()
        for name, schema in action.model_json_schema()["properties"].items()
        if name != "target"
        for pattern in patterns([schema])
    }
    assert len(of_fields) >= 8
    assert all(map(pattern_message, of_fields))
