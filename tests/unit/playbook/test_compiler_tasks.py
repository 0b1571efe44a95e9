import json
from typing import Any

import pytest

from reme_playbook.errors import RejectionRule
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
    assert rule_of(json.dumps([{keyword: HEAD}])) is RejectionRule.MODULE
    assert rule_of(json.dumps([{**task("k8s_rollback"), keyword: "x"}])) is RejectionRule.MODULE


TASKS: list[tuple[Any, RejectionRule]] = [
    ("kubernetes.core.k8s: kind=Pod", RejectionRule.SHAPE),
    ({}, RejectionRule.SHAPE),
    ({"name": "nothing"}, RejectionRule.SHAPE),
    ({"k8s_rollback": HEAD, "k8s_scale": HEAD}, RejectionRule.SHAPE),
    ({"k8s": HEAD, "kubernetes.core.k8s": HEAD}, RejectionRule.SHAPE),
    ({"k8s": "kind=Pod name=cart namespace=shop state=absent"}, RejectionRule.PARAMETER),
    ({"k8s": None}, RejectionRule.PARAMETER),
    ({"k8s": [HEAD]}, RejectionRule.PARAMETER),
    ({**task("k8s_rollback"), "name": ["x"]}, RejectionRule.KEYWORD),
    *[
        (patched({"spec": {"replicas": 2}}, **{name: value}), RejectionRule.PARAMETER)
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
    (patched({"spec": {"replicas": 2}}, merge_type="strategic-merge"), RejectionRule.PARAMETER),
    (
        patched({"spec": {"replicas": 2}}, merge_type=["strategic-merge", "merge"]),
        RejectionRule.PARAMETER,
    ),
    (patched({"spec": {"replicas": 2}}, merge_type=None), RejectionRule.PARAMETER),
    (patched("spec: {replicas: 2}"), RejectionRule.PARAMETER),
    (patched([{"spec": {"replicas": 2}}]), RejectionRule.PARAMETER),
    (patched(None), RejectionRule.PARAMETER),
    (patched({}), RejectionRule.SHAPE),
    (task(state="patched"), RejectionRule.SHAPE),
    (task(definition={"spec": {"replicas": 2}}), RejectionRule.PARAMETER),
    (task(state="present", definition={"spec": {"replicas": 2}}), RejectionRule.PARAMETER),
    (task(state=["patched"], definition={"spec": {"replicas": 2}}), RejectionRule.PARAMETER),
    (task(state="absent"), RejectionRule.PARAMETER),
    (task(kind="Service", state="absent"), RejectionRule.PARAMETER),
    (task(kind="Pod", state="absent", definition={"spec": {}}), RejectionRule.PARAMETER),
    (task(kind="Pod", state="patched", definition={"spec": {"replicas": 2}}), RejectionRule.VALUE),
    (task(kind="Node", state="absent"), RejectionRule.VALUE),
    (
        task(kind="deployment", state="patched", definition={"spec": {"replicas": 2}}),
        RejectionRule.VALUE,
    ),
    (task(kind="PodList", state="absent"), RejectionRule.VALUE),
    (task(kind=["Pod"], state="absent"), RejectionRule.VALUE),
    (
        task(api_version="v1", state="patched", definition={"spec": {"replicas": 2}}),
        RejectionRule.VALUE,
    ),
    (
        task(api_version=["apps/v1"], state="patched", definition={"spec": {"replicas": 2}}),
        RejectionRule.VALUE,
    ),
    (
        task(api_version=None, state="patched", definition={"spec": {"replicas": 2}}),
        RejectionRule.VALUE,
    ),
    (patched({"apiVersion": "apps/v1beta1", "spec": {"replicas": 2}}), RejectionRule.VALUE),
    *[
        (task("k8s_rollback", name=name), RejectionRule.VALUE)
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
    (task("k8s_rollback", namespace="kube.system"), RejectionRule.VALUE),
    (task("k8s_rollback", namespace=None), RejectionRule.VALUE),
    ({"k8s_rollback": {"kind": "Deployment", "name": "cart"}}, RejectionRule.PARAMETER),
    ({"k8s_rollback": {"name": "cart", "namespace": "shop"}}, RejectionRule.PARAMETER),
    (task("k8s_rollback", revision=2), RejectionRule.PARAMETER),
    (task("reme_rollback", revision=0), RejectionRule.VALUE),
    (task("reme_rollback", revision="2"), RejectionRule.VALUE),
    (task("k8s_rollback", kind="Service"), RejectionRule.VALUE),
    (patched({"kind": "Service", "spec": {"replicas": 2}}), RejectionRule.CONTRADICTION),
    (
        patched({"metadata": {"name": "other"}, "spec": {"replicas": 2}}),
        RejectionRule.CONTRADICTION,
    ),
    (
        patched({"metadata": {"namespace": "x"}, "spec": {"replicas": 2}}),
        RejectionRule.CONTRADICTION,
    ),
    *[
        (task("k8s_scale", replicas=n), RejectionRule.VALUE)
        for n in (-1, True, "2", None, 10_001, [2], {"a": 2})
    ],
    (task("k8s_scale"), RejectionRule.VALUE),
    (task("k8s_scale", replicas=0), RejectionRule.HIDES_SYMPTOM),
    (patched({"spec": {"replicas": 0}}), RejectionRule.HIDES_SYMPTOM),
    (task("k8s_scale", replicas=2, wait=True), RejectionRule.PARAMETER),
    (task("k8s_scale", replicas=2, wait=0), RejectionRule.PARAMETER),
    (task("k8s_scale", replicas=2, resource_version="1"), RejectionRule.PARAMETER),
    (task("k8s_scale", replicas=2, kind="DaemonSet"), RejectionRule.VALUE),
]


@pytest.mark.parametrize(("rejected", "rule"), TASKS, ids=lambda v: repr(v)[:60])
def test_a_task_that_is_not_in_the_language_is_rejected(rejected: Any, rule: RejectionRule) -> None:
    assert rule_of(json.dumps([rejected])) is rule
