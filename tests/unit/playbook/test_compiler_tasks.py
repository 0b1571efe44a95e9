import json
from typing import Any

import pytest

from reme_playbook.errors import Rule
from tests.unit.playbook.tasks import HEAD, patched, rule_of, task


@pytest.mark.parametrize(
    "keyword",
    [
        "block",
        "include_tasks",
        "import_tasks",
        "include_role",
        "vars",
        "when",
        "loop",
        "with_items",
        "register",
        "delegate_to",
        "become",
        "become_user",
        "environment",
        "args",
        "action",
        "notify",
        "local_action",
        "ignore_errors",
        "until",
        "retries",
        "async",
        "tags",
        "no_log",
        "any_errors_fatal",
        "shell",
        "command",
        "ansible.builtin.shell",
        "raw",
        "script",
        "copy",
        "uri",
        "set_fact",
        "meta",
        "kubernetes.core.k8s_exec",
        "kubernetes.core.k8s_cp",
        "kubernetes.core.helm",
        "k8s_info",
        "community.kubernetes.k8s",
        "ansible.legacy.k8s",
        "K8S",
        "k8s ",
        "k8s_service",
        "ĸ8s",
    ],
)
def test_no_other_keyword_and_no_other_module(keyword: str) -> None:
    assert rule_of(json.dumps([{keyword: HEAD}])) is Rule.MODULE
    assert rule_of(json.dumps([{**task("k8s_rollback"), keyword: "x"}])) is Rule.MODULE


TASKS: list[tuple[Any, Rule]] = [
    ("kubernetes.core.k8s: kind=Pod", Rule.SHAPE),
    ({}, Rule.SHAPE),
    ({"name": "nothing"}, Rule.SHAPE),
    ({"k8s_rollback": HEAD, "k8s_scale": HEAD}, Rule.SHAPE),
    ({"k8s": HEAD, "kubernetes.core.k8s": HEAD}, Rule.SHAPE),
    ({"k8s": "kind=Pod name=cart namespace=shop state=absent"}, Rule.PARAMETER),
    ({"k8s": None}, Rule.PARAMETER),
    ({"k8s": [HEAD]}, Rule.PARAMETER),
    ({**task("k8s_rollback"), "name": ["x"]}, Rule.KEYWORD),
    *[
        (patched({"spec": {"replicas": 2}}, **{name: value}), Rule.PARAMETER)
        for name, value in {
            "src": "/etc/passwd",
            "template": "x.j2",
            "resource_definition": {},
            "inline": {},
            "kubeconfig": "/tmp/k",
            "context": "x",
            "host": "https://evil",
            "api_key": "x",
            "username": "x",
            "ca_cert": "/x",
            "validate_certs": False,
            "proxy": "http://evil",
            "impersonate_user": "system:admin",
            "force": True,
            "apply": True,
            "server_side_apply": {},
            "validate": {},
            "wait": False,
            "wait_condition": {},
            "append_hash": True,
            "delete_all": True,
            "label_selectors": ["a=b"],
            "generate_name": "x",
            "continue_on_error": True,
            "hidden_fields": [],
            "persist_config": True,
            "apiVersion": "apps/v1",
            "merge_type": ["merge"],
            "_raw_params": "x",
        }.items()
    ],
    (patched({"spec": {"replicas": 2}}, merge_type="strategic-merge"), Rule.PARAMETER),
    (patched({"spec": {"replicas": 2}}, merge_type=["strategic-merge", "merge"]), Rule.PARAMETER),
    (patched({"spec": {"replicas": 2}}, merge_type=None), Rule.PARAMETER),
    (patched("spec: {replicas: 2}"), Rule.PARAMETER),
    (patched([{"spec": {"replicas": 2}}]), Rule.PARAMETER),
    (patched(None), Rule.PARAMETER),
    (patched({}), Rule.SHAPE),
    (task(state="patched"), Rule.SHAPE),
    (task(definition={"spec": {"replicas": 2}}), Rule.PARAMETER),
    (task(state="present", definition={"spec": {"replicas": 2}}), Rule.PARAMETER),
    (task(state=["patched"], definition={"spec": {"replicas": 2}}), Rule.PARAMETER),
    (task(state="absent"), Rule.PARAMETER),
    (task(kind="Service", state="absent"), Rule.PARAMETER),
    (task(kind="Pod", state="absent", definition={"spec": {}}), Rule.PARAMETER),
    (task(kind="Pod", state="patched", definition={"spec": {"replicas": 2}}), Rule.VALUE),
    (task(kind="Node", state="absent"), Rule.VALUE),
    (task(kind="deployment", state="patched", definition={"spec": {"replicas": 2}}), Rule.VALUE),
    (task(kind="PodList", state="absent"), Rule.VALUE),
    (task(kind=["Pod"], state="absent"), Rule.VALUE),
    (task(api_version="v1", state="patched", definition={"spec": {"replicas": 2}}), Rule.VALUE),
    (
        task(api_version=["apps/v1"], state="patched", definition={"spec": {"replicas": 2}}),
        Rule.VALUE,
    ),
    (task(api_version=None, state="patched", definition={"spec": {"replicas": 2}}), Rule.VALUE),
    (patched({"apiVersion": "apps/v1beta1", "spec": {"replicas": 2}}), Rule.VALUE),
    *[
        (task("k8s_rollback", name=name), Rule.VALUE)
        for name in [
            "",
            "Cart",
            "cart\n",
            "../x",
            "cárt",
            "c\u0430rt",
            "a b",
            "a" * 254,
            "-a",
            7,
            None,
        ]
    ],
    (task("k8s_rollback", namespace="kube.system"), Rule.VALUE),
    (task("k8s_rollback", namespace=None), Rule.VALUE),
    ({"k8s_rollback": {"kind": "Deployment", "name": "cart"}}, Rule.PARAMETER),
    ({"k8s_rollback": {"name": "cart", "namespace": "shop"}}, Rule.PARAMETER),
    (task("k8s_rollback", revision=2), Rule.PARAMETER),
    (task("reme_rollback", revision=0), Rule.VALUE),
    (task("reme_rollback", revision="2"), Rule.VALUE),
    (task("k8s_rollback", kind="Service"), Rule.VALUE),
    (patched({"kind": "Service", "spec": {"replicas": 2}}), Rule.CONTRADICTION),
    (patched({"metadata": {"name": "other"}, "spec": {"replicas": 2}}), Rule.CONTRADICTION),
    (patched({"metadata": {"namespace": "x"}, "spec": {"replicas": 2}}), Rule.CONTRADICTION),
    *[
        (task("k8s_scale", replicas=n), Rule.VALUE)
        for n in (-1, True, "2", None, 10_001, [2], {"a": 2})
    ],
    (task("k8s_scale"), Rule.VALUE),
    (task("k8s_scale", replicas=0), Rule.HIDES_SYMPTOM),
    (patched({"spec": {"replicas": 0}}), Rule.HIDES_SYMPTOM),
    (task("k8s_scale", replicas=2, wait=True), Rule.PARAMETER),
    (task("k8s_scale", replicas=2, wait=0), Rule.PARAMETER),
    (task("k8s_scale", replicas=2, resource_version="1"), Rule.PARAMETER),
    (task("k8s_scale", replicas=2, kind="DaemonSet"), Rule.VALUE),
]


@pytest.mark.parametrize(("found", "rule"), TASKS, ids=lambda v: repr(v)[:60])
def test_a_task_that_is_not_in_the_language_is_rejected(found: Any, rule: Rule) -> None:
    assert rule_of(json.dumps([found])) is rule
