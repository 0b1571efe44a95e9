import json
from typing import Any

import pytest

from reme_playbook.actions.config_value import SetConfigValue, UnsetConfigValue
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.env import SetEnv, UnsetEnv
from reme_playbook.actions.image import SetImage
from reme_playbook.actions.probe import PatchProbe
from reme_playbook.actions.registry import Action
from reme_playbook.actions.resources import SetResources, UnsetResources
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from reme_playbook.actions.rollout import PauseRollout, ResumeRollout
from reme_playbook.actions.scale import Scale
from reme_playbook.actions.service import PatchServicePort, PatchServiceSelector
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from tests.unit.playbook.builders import CART, CONFIG, SERVICE, key
from tests.unit.playbook.tasks import (
    LIMIT,
    RESTART,
    SERVER,
    compiled,
    in_container,
    in_template,
    on,
    patched,
    rule_of,
    task,
)

ALLOWED: list[tuple[dict[str, Any], list[Action]]] = [
    (in_template(RESTART), [Restart(target=CART)]),
    (
        in_template({"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026"}}}),
        [Restart(target=CART)],
    ),
    (task("k8s_rollback"), [Rollback(target=CART)]),
    (task("reme_rollback", revision=3), [Rollback(target=CART, revision=3)]),
    (task("kubernetes.core.k8s_scale", replicas=3), [Scale(target=CART, replicas=3)]),
    (patched({"spec": {"replicas": 3}}), [Scale(target=CART, replicas=3)]),
    (
        in_container(LIMIT),
        [SetResources(target=CART, container="server", memory_limit="256Mi")],
    ),
    (
        in_container({"name": "server", "resources": {"limits": {"cpu": 2, "memory": "0.5Gi"}}}),
        [SetResources(target=CART, container="server", cpu_limit="2", memory_limit="512Mi")],
    ),
    (
        in_container({"name": "server", "image": "cart:1"}),
        [SetImage(target=CART, container="server", image="cart:1")],
    ),
    (
        in_container({"name": "server", "env": [{"name": "A", "value": ""}]}),
        [SetEnv(target=CART, container="server", variable="A", value="")],
    ),
    (
        in_container(
            {"name": "server", "livenessProbe": {"httpGet": {"path": "/x"}, "periodSeconds": 5}}
        ),
        [
            PatchProbe(
                target=CART,
                container="server",
                probe="liveness",
                handler="httpGet",
                path="/x",
                period_seconds=5,
            )
        ],
    ),
    (
        on(CONFIG, {"data": {"a.b": "x\ny"}}),
        [SetConfigValue(target=CONFIG, key="a.b", value="x\ny")],
    ),
    (
        on(SERVICE, {"spec": {"selector": {"app": "cart", "old": None}}}),
        [PatchServiceSelector(target=SERVICE, selector={"app": "cart", "old": None})],
    ),
    (
        on(SERVICE, {"spec": {"ports": [{"port": 80, "targetPort": "http"}]}}),
        [PatchServicePort(target=SERVICE, port=80, target_port="http")],
    ),
    (task(kind="Pod", state="absent"), [DeletePod(target=key("Pod", "cart"))]),
    (patched({"spec": {"paused": False}}), [ResumeRollout(target=CART)]),
    (
        # Several fields and containers in one patch become one action each.
        in_container(
            {"name": "server", "image": "a:1", "env": [{"name": "A", "value": "1"}]},
            {"name": "proxy", "image": "b:1"},
        ),
        [
            SetImage(target=CART, container="server", image="a:1"),
            SetEnv(target=CART, container="server", variable="A", value="1"),
            SetImage(target=CART, container="proxy", image="b:1"),
        ],
    ),
    (
        # A whole definition that says the same as the parameters, or says it instead of them.
        {
            "name": "raise the limit",
            "k8s": {
                "state": "patched",
                "api_version": "apps/v1",
                "name": "cart",
                "definition": {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "metadata": {"name": "cart", "namespace": "shop"},
                    "spec": {"replicas": 2},
                },
            },
        },
        [Scale(target=CART, replicas=2)],
    ),
]


@pytest.mark.parametrize(("tasks", "actions"), ALLOWED)
def test_what_is_in_the_language_compiles(tasks: dict[str, Any], actions: list[Action]) -> None:
    assert compiled(tasks) == tuple(actions)


def test_a_playbook_is_the_same_as_its_tasks() -> None:
    play = {
        "name": "x",
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [task("k8s_rollback")],
    }
    assert compile_playbook(json.dumps([play])) == (Rollback(target=CART),)


def test_yaml_is_read_as_ansible_reads_it() -> None:
    text = """
- hosts: localhost
  connection: local
  gather_facts: no
  tasks:
    - name: more memory
      kubernetes.core.k8s:
        state: patched
        definition:
          apiVersion: apps/v1
          kind: Deployment
          metadata: {name: cart, namespace: shop}
          spec:
            template:
              spec:
                containers:
                  - name: server
                    resources:
                      limits:
                        memory: 256Mi
"""
    assert compile_playbook(text) == (
        SetResources(target=CART, container="server", memory_limit="256Mi"),
    )


@pytest.mark.parametrize(
    "tasks",
    [
        [in_container(LIMIT), in_container(LIMIT)],
        [task("k8s_rollback"), in_container({**SERVER, "image": "a:1"})],
        [in_template(RESTART), task("k8s_rollback")],
        [task("k8s_scale", replicas=2), patched({"spec": {"replicas": 3}})],
        [task(kind="Pod", state="absent")] * 2,
    ],
)
def test_no_field_is_written_twice(tasks: list[Any]) -> None:
    assert rule_of(json.dumps(tasks)) is RejectionRule.TWICE


def test_one_task_with_too_many_actions_is_rejected() -> None:
    env = [{"name": f"A{n}", "value": "x"} for n in range(9)]
    assert rule_of(json.dumps([in_container({**SERVER, "env": env})])) is RejectionRule.SHAPE


def test_a_rollback_may_remove_what_a_run_added() -> None:
    tasks = [
        in_container(
            {
                **SERVER,
                "env": [{"name": "A", "$patch": "delete"}],
                "resources": {"limits": {"memory": None, "cpu": None}, "requests": {"cpu": "1"}},
            }
        ),
        patched({"spec": {"paused": True, "replicas": 0}}),
        on(CONFIG, {"data": {"a": None}}),
    ]
    assert compiled(*tasks, for_rollback=True) == (
        UnsetEnv(target=CART, container="server", variable="A"),
        UnsetResources(target=CART, container="server", fields=("cpu_limit", "memory_limit")),
        SetResources(target=CART, container="server", cpu_request="1"),
        PauseRollout(target=CART),
        Scale(target=CART, replicas=0),
        UnsetConfigValue(target=CONFIG, key="a"),
    )


def test_a_rollback_may_not_remove_a_probe_or_a_container() -> None:
    for fields in ({"readinessProbe": None}, {"$patch": "delete"}, {"image": None}):
        text = json.dumps([in_container({**SERVER, **fields})])
        assert rule_of(text, for_rollback=True) in (RejectionRule.FIELD, RejectionRule.VALUE)


def test_messages_do_not_repeat_long_or_odd_texts() -> None:
    with pytest.raises(RejectedPlaybookError) as caught:
        compile_playbook(json.dumps([{"x" * 5000: "secret words"}]))
    assert len(caught.value.message) < 200
    assert "secret words" not in caught.value.message
