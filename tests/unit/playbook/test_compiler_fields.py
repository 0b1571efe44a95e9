import json
from typing import Any

import pytest

from reme_playbook.errors import RejectionRule
from tests.unit.playbook.builders import CONFIG, SERVICE
from tests.unit.playbook.tasks import SERVER, in_container, in_template, on, patched, rule_of

SPECS: list[Any] = [
    {},
    {"selector": {"matchLabels": {"a": "b"}}},
    {"strategy": {"type": "Recreate"}},
    {"minReadySeconds": 0},
    {"paused": None},
    {"paused": 0},
    {"template": {}},
    {"template": None},
    {"template": {"$patch": "replace"}},
    {"$patch": "replace", "replicas": 2},
    {"$retainKeys": ["replicas"]},
    {"$setElementOrder/containers": [SERVER]},
    [],
    None,
    "x",
]
TEMPLATE_SPECS: list[Any] = [
    {"hostNetwork": True},
    {"serviceAccountName": "admin"},
    {"securityContext": {"runAsUser": 0}},
    {"volumes": [{"name": "x", "hostPath": {"path": "/"}}]},
    {"initContainers": [{"name": "x", "image": "y"}]},
    {"nodeName": "x"},
    {"containers": []},
    {"containers": {"name": "server", "image": "x"}},
    {"containers": None},
]
CONTAINERS: list[dict[str, Any]] = [
    {},
    {"workingDir": "/"},
    {"args": []},
    {"command": {"a": 1}},
    {"tty": True},
    {"securityContext": {"privileged": True}},
    {"volumeMounts": [{"name": "x", "mountPath": "/"}]},
    {"lifecycle": {"postStart": {"exec": {"command": ["x"]}}}},
    {"envFrom": [{"secretRef": {"name": "x"}}]},
    {"env": []},
    {"env": None},
    {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}}]},
    {"env": [{"name": "A"}]},
    {"env": [{"name": "A", "$patch": "replace"}]},
    {"resources": {}},
    {"resources": None},
    {"resources": {"limits": None}},
    {"resources": {"limits": {"nvidia.com/gpu": "1"}}},
    {"resources": {"claims": [{"name": "x"}]}},
    {"resources": {"$patch": "replace", "limits": {"cpu": "1"}}},
    {"readinessProbe": None},
    {"readinessProbe": {"exec": {"command": ["true"]}}},
    {"readinessProbe": {"httpGet": {"host": "evil"}}},
    {"readinessProbe": {"httpGet": {"httpHeaders": [{"name": "a", "value": "b"}]}}},
    {"readinessProbe": {"successThreshold": 1}},
    {"readinessProbe": {"$patch": "delete"}},
    {"readinessProbe": {"tcpSocket": {"path": "/x"}}},
    {"$patch": "delete"},
    {"imagePullPolicy": "Always"},
    {"terminationMessagePath": "/x"},
]
SERVICES: list[Any] = [
    {"type": "LoadBalancer"},
    {"externalName": "evil.example"},
    {"externalIPs": ["1.2.3.4"]},
    {"selector": None},
    {"selector": {}},
    {"selector": {"app": {"a": "b"}}},
    {"selector": {"app": ["a"]}},
    {"ports": None},
    {"ports": [{"port": 80}]},
    {"ports": [{"port": 80, "nodePort": 30000}]},
    {"ports": [{"port": 80, "$patch": "delete"}]},
]
FIELDS: list[tuple[Any, RejectionRule]] = [
    *[
        (patched({"metadata": {name: value}, "spec": {"replicas": 2}}), RejectionRule.FIELD)
        for name, value in {
            "labels": {"a": "b"},
            "annotations": {"reme.dev/restarted-at": "now"},
            "ownerReferences": [],
            "finalizers": ["x"],
            "generateName": "x",
            "resourceVersion": "1",
        }.items()
    ],
    (patched({"metadata": [], "spec": {"replicas": 2}}), RejectionRule.FIELD),
    *[(patched({"spec": spec}), RejectionRule.FIELD) for spec in SPECS],
    (patched({"status": {"replicas": 1}}), RejectionRule.FIELD),
    (patched({"data": {"a": "b"}}), RejectionRule.VALUE),
    (patched({"spec": {"paused": True}}), RejectionRule.INTERNAL),
    *[
        (in_template({"metadata": metadata}), RejectionRule.FIELD)
        for metadata in (
            {"labels": {"app": "x"}},
            {"annotations": {"sidecar.istio.io/inject": "false"}},
            {"annotations": {"reme.dev/restarted-at": None}},
            {"annotations": {"reme.dev/restarted-at": 5}},
            {"annotations": {"reme.dev/restarted-at": "a b"}},
            {"annotations": {"reme.dev/restarted-at": "x" * 64}},
            {"annotations": {"reme.dev/restarted-at": {"a": "b"}}},
            {"finalizers": ["x"]},
        )
    ],
    *[(in_template({"spec": spec}), RejectionRule.FIELD) for spec in TEMPLATE_SPECS],
    *[(in_container({**SERVER, **fields}), RejectionRule.FIELD) for fields in CONTAINERS],
    (in_container({"image": "x"}), RejectionRule.SHAPE),
    (in_container({"name": 5, "image": "x"}), RejectionRule.SHAPE),
    (in_container("server"), RejectionRule.SHAPE),
    (in_container({**SERVER, "image": "x"}, {**SERVER, "image": "y"}), RejectionRule.DUPLICATE_KEY),
    (in_container({**SERVER, "env": [{"value": "x"}]}), RejectionRule.SHAPE),
    (
        in_container({**SERVER, "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}),
        RejectionRule.DUPLICATE_KEY,
    ),
    (in_container({**SERVER, "env": [{"name": "A", "$patch": "delete"}]}), RejectionRule.INTERNAL),
    (in_container({**SERVER, "resources": {"limits": {"memory": None}}}), RejectionRule.INTERNAL),
    *[
        (in_container({**SERVER, "env": [{"name": "A", "value": value}]}), RejectionRule.VALUE)
        for value in (8080, True, None, "a\nb", "x" * 1025)
    ],
    (in_container({**SERVER, "env": [{"name": "A=B", "value": "x"}]}), RejectionRule.VALUE),
    *[
        (in_container({**SERVER, "image": image}), RejectionRule.VALUE)
        for image in ("", None, 5, "a b", "a:1\n", "-x", "c\u0430rt:1", "a;b", "x" * 513)
    ],
    *[
        (in_container({**SERVER, "resources": {"limits": {"memory": amount}}}), RejectionRule.VALUE)
        for amount in ("", "0", "-1", "1Qi", "1 Mi", "٣Mi", True, -1, "9" * 30, "1e99")
    ],
    *[
        (in_container({**SERVER, "readinessProbe": probe}), RejectionRule.VALUE)
        for probe in (
            {"periodSeconds": 0},
            {"periodSeconds": True},
            {"periodSeconds": "5"},
            {"periodSeconds": None},
            {"failureThreshold": 10**9},
            {"httpGet": {"path": "ready"}},
            {"httpGet": {"path": "/a b"}},
            {"httpGet": {"port": 0}},
            {"httpGet": {"port": "80"}},
            {"grpc": {"port": "http"}},
        )
    ],
    (
        in_container(
            {**SERVER, "readinessProbe": {"httpGet": {"port": 80}, "tcpSocket": {"port": 80}}}
        ),
        RejectionRule.CONTRADICTION,
    ),
    *[(on(SERVICE, {"spec": spec}), RejectionRule.FIELD) for spec in SERVICES],
    (on(SERVICE, {"spec": {"selector": {"app": 1}}}), RejectionRule.VALUE),
    (on(SERVICE, {"spec": {"selector": {"app": True}}}), RejectionRule.VALUE),
    (on(SERVICE, {"spec": {"selector": {"a b": "x"}}}), RejectionRule.VALUE),
    (on(SERVICE, {"spec": {"selector": {"$patch": "replace"}}}), RejectionRule.VALUE),
    (on(SERVICE, {"spec": {"ports": [{"targetPort": 80}]}}), RejectionRule.SHAPE),
    (on(SERVICE, {"spec": {"ports": [{"port": True, "targetPort": 80}]}}), RejectionRule.SHAPE),
    (on(SERVICE, {"spec": {"ports": [{"port": 80, "targetPort": None}]}}), RejectionRule.VALUE),
    (on(SERVICE, {"spec": {"ports": [{"port": 0, "targetPort": 80}]}}), RejectionRule.VALUE),
    (on(SERVICE, {"spec": {"ports": [{"port": 80, "targetPort": True}]}}), RejectionRule.VALUE),
    (on(CONFIG, {"data": {"a": None}}), RejectionRule.INTERNAL),
    (on(CONFIG, {"data": {"a": 1}}), RejectionRule.VALUE),
    (on(CONFIG, {"data": {"a/b": "x"}}), RejectionRule.VALUE),
    (on(CONFIG, {"data": {"__ansible_vault": "x"}}), RejectionRule.VALUE),
    (on(CONFIG, {"data": {"$patch": "replace"}}), RejectionRule.VALUE),
    (on(CONFIG, {"data": None}), RejectionRule.FIELD),
    (on(CONFIG, {"data": {"a": {"b": "c"}}}), RejectionRule.FIELD),
    (on(CONFIG, {"binaryData": {"a": "YQ=="}}), RejectionRule.FIELD),
    (on(CONFIG, {"immutable": True}), RejectionRule.FIELD),
]


@pytest.mark.parametrize(("task", "rule"), FIELDS, ids=lambda v: repr(v)[40:140])
def test_a_field_that_is_no_part_of_an_action_is_rejected(task: Any, rule: RejectionRule) -> None:
    assert rule_of(json.dumps([task])) is rule
