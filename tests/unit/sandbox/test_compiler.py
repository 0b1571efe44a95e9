import json
from typing import Any

import pytest

from reme_sandbox.actions import (
    Action,
    DeletePod,
    PatchProbe,
    PatchServicePort,
    PatchServiceSelector,
    PauseRollout,
    Restart,
    ResumeRollout,
    Rollback,
    Scale,
    SetConfigValue,
    SetEnv,
    SetImage,
    SetResources,
    UnsetConfigValue,
    UnsetEnv,
    UnsetResources,
)
from reme_sandbox.compiler import compile_playbook
from reme_sandbox.errors import RejectedPlaybookError, Rule
from tests.unit.sandbox.builders import CART, CONFIG, SERVICE, key

HEAD = {"kind": "Deployment", "name": "cart", "namespace": "shop"}


def task(module: str = "kubernetes.core.k8s", **parameters: Any) -> dict[str, Any]:
    return {module: {**HEAD, **parameters}}


def patched(definition: Any, **parameters: Any) -> dict[str, Any]:
    return task(state="patched", definition=definition, **parameters)


def in_template(template: Any) -> dict[str, Any]:
    return patched({"spec": {"template": template}})


def in_container(*containers: Any) -> dict[str, Any]:
    return in_template({"spec": {"containers": list(containers)}})


def on(target: Any, definition: Any) -> dict[str, Any]:
    where = {"kind": target.kind, "name": target.name, "namespace": target.namespace}
    return patched(definition, **where)


def compiled(*tasks: Any, **options: Any) -> tuple[Action, ...]:
    return compile_playbook(json.dumps(list(tasks)), **options)


def rule_of(text: str, **options: Any) -> Rule:
    with pytest.raises(RejectedPlaybookError) as caught:
        compile_playbook(text, **options)
    assert 10 < len(str(caught.value)) < 1100
    assert str(caught.value).isprintable()
    return caught.value.rule


RESTART = {"metadata": {"annotations": {"reme.dev/restarted-at": "now"}}}
LIMIT = {"name": "server", "resources": {"limits": {"memory": "256Mi"}}}

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


@pytest.mark.parametrize(("found", "actions"), ALLOWED)
def test_what_is_in_the_language_compiles(found: dict[str, Any], actions: list[Action]) -> None:
    assert compiled(found) == tuple(actions)


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


DOCUMENTS: list[tuple[str, Rule]] = [
    ("", Rule.EMPTY),
    (" \n\t", Rule.EMPTY),
    ("[]" + " " * 70_000, Rule.TOO_LARGE),
    ("é" * 40_000, Rule.TOO_LARGE),
    ("- a\n" * 16_000, Rule.TOO_LARGE),
    ("[" * 20_000, Rule.TOO_DEEP),
    ("- " * 20_000, Rule.TOO_DEEP),
    ("[" * 30 + "]" * 30, Rule.TOO_DEEP),
    ('{"a":' * 12_000, Rule.TOO_DEEP),
    ("a: [b", Rule.SYNTAX),
    ('- "\\UFFFFFFFF"', Rule.SYNTAX),
    ("- a\x00b", Rule.SYNTAX),
    ("---\n- a\n---\n- b\n", Rule.SHAPE),
    ("# nothing", Rule.SHAPE),
    ("- &a x\n- *a", Rule.ALIAS),
    ("a: &a [1]\nb: [*a, *a, *a]", Rule.ALIAS),
    ("- k8s: {<<: {kind: Pod}}", Rule.ALIAS),
    ("- !!python/object/apply:os.system [id]", Rule.TAG),
    ("- !vault x", Rule.TAG),
    ("- ! x", Rule.TAG),
    ('[{"k8s":{"kind":"Pod","kind":"Deployment"}}]', Rule.DUPLICATE_KEY),
    ('[{"k8s":{"kind":"Pod","\\u006bind":"Deployment"}}]', Rule.DUPLICATE_KEY),
    ("- k8s:\n    kind: Pod\n    kind: Node", Rule.DUPLICATE_KEY),
    ("- 1: a", Rule.SYNTAX),
    ("- yes: a", Rule.SYNTAX),
    ("- [a, b]: c", Rule.SYNTAX),
    ("[\"{{ lookup('pipe', 'id') }}\"]", Rule.TEMPLATE),
    ('["\\u007b\\u007b x }}"]', Rule.TEMPLATE),
    ('- "\\x7b% x %}"', Rule.TEMPLATE),
    ('[{"{#": 1}]', Rule.TEMPLATE),
    ("- '#jinja2: variable_start_string: \"[[\"'", Rule.TEMPLATE),
    ('["a\\u0000b"]', Rule.CHARACTER),
    ('["a\\u202eb"]', Rule.CHARACTER),
    ('["a\\u200bb"]', Rule.CHARACTER),
    ('["\\ud800"]', Rule.CHARACTER),
    ('[{"a\\nb": 1}]', Rule.CHARACTER),
    ("\ud800", Rule.CHARACTER),
    ("[1e3]", Rule.VALUE),
    ("[1.0]", Rule.VALUE),
    ("[NaN]", Rule.VALUE),
    ("- .inf", Rule.VALUE),
    ("- 010", Rule.VALUE),
    ("- 0x10", Rule.VALUE),
    ("- 1_000", Rule.VALUE),
    ("- 1:30", Rule.VALUE),
    ("- +1", Rule.VALUE),
    ("[" + "9" * 17 + "]", Rule.VALUE),
    ("[" + "9" * 9_000 + "]", Rule.VALUE),
    ("- " + "9" * 9_000, Rule.VALUE),
    ('{"a": 1}', Rule.SHAPE),
    ("plain words", Rule.SHAPE),
    ("[]", Rule.SHAPE),
    ("[[]]", Rule.SHAPE),
    ("null", Rule.SHAPE),
]


@pytest.mark.parametrize(("text", "rule"), DOCUMENTS, ids=lambda v: repr(v)[:40])
def test_a_text_that_could_mean_two_things_is_rejected(text: str, rule: Rule) -> None:
    assert rule_of(text) is rule


def play(**keywords: Any) -> dict[str, Any]:
    return {"hosts": "localhost", "tasks": [task("k8s_rollback")], **keywords}


PLAYS: list[tuple[list[Any], Rule]] = [
    ([play(), play()], Rule.SHAPE),
    ([[play()]], Rule.SHAPE),
    ([play(hosts="all")], Rule.KEYWORD),
    ([play(hosts=["localhost"])], Rule.KEYWORD),
    ([{"tasks": [task("k8s_rollback")]}], Rule.KEYWORD),
    ([play(connection="ssh")], Rule.KEYWORD),
    ([play(gather_facts=True)], Rule.KEYWORD),
    ([play(gather_facts=0)], Rule.KEYWORD),
    ([play(gather_facts="no")], Rule.KEYWORD),
    ([play(tasks={})], Rule.SHAPE),
    ([play(tasks=[])], Rule.SHAPE),
    ([play(tasks=[task("k8s_rollback", name=f"c{n}") for n in range(9)])], Rule.SHAPE),
    ([play(name=3)], Rule.KEYWORD),
    ([play(name="x" * 1025)], Rule.KEYWORD),
    *[
        ([play(**{keyword: [] if keyword.endswith("tasks") else {}})], Rule.KEYWORD)
        for keyword in (
            "vars",
            "vars_files",
            "roles",
            "pre_tasks",
            "post_tasks",
            "handlers",
            "become",
            "environment",
            "strategy",
            "collections",
            "module_defaults",
            "remote_user",
            "import_playbook",
            "serial",
        )
    ],
]


@pytest.mark.parametrize(("document", "rule"), PLAYS)
def test_a_play_has_nothing_but_tasks(document: list[Any], rule: Rule) -> None:
    assert rule_of(json.dumps(document)) is rule


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


SERVER = {"name": "server"}
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
FIELDS: list[tuple[Any, Rule]] = [
    *[
        (patched({"metadata": {name: value}, "spec": {"replicas": 2}}), Rule.FIELD)
        for name, value in {
            "labels": {"a": "b"},
            "annotations": {"reme.dev/restarted-at": "now"},
            "ownerReferences": [],
            "finalizers": ["x"],
            "generateName": "x",
            "resourceVersion": "1",
        }.items()
    ],
    (patched({"metadata": [], "spec": {"replicas": 2}}), Rule.FIELD),
    *[(patched({"spec": spec}), Rule.FIELD) for spec in SPECS],
    (patched({"status": {"replicas": 1}}), Rule.FIELD),
    (patched({"data": {"a": "b"}}), Rule.VALUE),
    (patched({"spec": {"paused": True}}), Rule.INTERNAL),
    *[
        (in_template({"metadata": metadata}), Rule.FIELD)
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
    *[(in_template({"spec": spec}), Rule.FIELD) for spec in TEMPLATE_SPECS],
    *[(in_container({**SERVER, **fields}), Rule.FIELD) for fields in CONTAINERS],
    (in_container({"image": "x"}), Rule.SHAPE),
    (in_container({"name": 5, "image": "x"}), Rule.SHAPE),
    (in_container("server"), Rule.SHAPE),
    (in_container({**SERVER, "image": "x"}, {**SERVER, "image": "y"}), Rule.DUPLICATE_KEY),
    (in_container({**SERVER, "env": [{"value": "x"}]}), Rule.SHAPE),
    (
        in_container({**SERVER, "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}),
        Rule.DUPLICATE_KEY,
    ),
    (in_container({**SERVER, "env": [{"name": "A", "$patch": "delete"}]}), Rule.INTERNAL),
    (in_container({**SERVER, "resources": {"limits": {"memory": None}}}), Rule.INTERNAL),
    *[
        (in_container({**SERVER, "env": [{"name": "A", "value": value}]}), Rule.VALUE)
        for value in (8080, True, None, "a\nb", "x" * 1025)
    ],
    (in_container({**SERVER, "env": [{"name": "A=B", "value": "x"}]}), Rule.VALUE),
    *[
        (in_container({**SERVER, "image": image}), Rule.VALUE)
        for image in ("", None, 5, "a b", "a:1\n", "-x", "c\u0430rt:1", "a;b", "x" * 513)
    ],
    *[
        (in_container({**SERVER, "resources": {"limits": {"memory": amount}}}), Rule.VALUE)
        for amount in ("", "0", "-1", "1Qi", "1 Mi", "٣Mi", True, -1, "9" * 30, "1e99")
    ],
    *[
        (in_container({**SERVER, "readinessProbe": probe}), Rule.VALUE)
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
        Rule.CONTRADICTION,
    ),
    *[(on(SERVICE, {"spec": spec}), Rule.FIELD) for spec in SERVICES],
    (on(SERVICE, {"spec": {"selector": {"app": 1}}}), Rule.VALUE),
    (on(SERVICE, {"spec": {"selector": {"app": True}}}), Rule.VALUE),
    (on(SERVICE, {"spec": {"selector": {"a b": "x"}}}), Rule.VALUE),
    (on(SERVICE, {"spec": {"selector": {"$patch": "replace"}}}), Rule.VALUE),
    (on(SERVICE, {"spec": {"ports": [{"targetPort": 80}]}}), Rule.SHAPE),
    (on(SERVICE, {"spec": {"ports": [{"port": True, "targetPort": 80}]}}), Rule.SHAPE),
    (on(SERVICE, {"spec": {"ports": [{"port": 80, "targetPort": None}]}}), Rule.VALUE),
    (on(SERVICE, {"spec": {"ports": [{"port": 0, "targetPort": 80}]}}), Rule.VALUE),
    (on(SERVICE, {"spec": {"ports": [{"port": 80, "targetPort": True}]}}), Rule.VALUE),
    (on(CONFIG, {"data": {"a": None}}), Rule.INTERNAL),
    (on(CONFIG, {"data": {"a": 1}}), Rule.VALUE),
    (on(CONFIG, {"data": {"a/b": "x"}}), Rule.VALUE),
    (on(CONFIG, {"data": {"__ansible_vault": "x"}}), Rule.VALUE),
    (on(CONFIG, {"data": {"$patch": "replace"}}), Rule.VALUE),
    (on(CONFIG, {"data": None}), Rule.FIELD),
    (on(CONFIG, {"data": {"a": {"b": "c"}}}), Rule.FIELD),
    (on(CONFIG, {"binaryData": {"a": "YQ=="}}), Rule.FIELD),
    (on(CONFIG, {"immutable": True}), Rule.FIELD),
]


@pytest.mark.parametrize(("found", "rule"), FIELDS, ids=lambda v: repr(v)[40:140])
def test_a_field_that_is_no_part_of_an_action_is_rejected(found: Any, rule: Rule) -> None:
    assert rule_of(json.dumps([found])) is rule


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
    assert rule_of(json.dumps(tasks)) is Rule.TWICE


def test_one_task_with_too_many_actions_is_rejected() -> None:
    env = [{"name": f"A{n}", "value": "x"} for n in range(9)]
    assert rule_of(json.dumps([in_container({**SERVER, "env": env})])) is Rule.SHAPE


def test_an_undo_may_take_away_what_a_run_added() -> None:
    found = [
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
    assert compiled(*found, allow_undo=True) == (
        UnsetEnv(target=CART, container="server", variable="A"),
        UnsetResources(target=CART, container="server", fields=("cpu_limit", "memory_limit")),
        SetResources(target=CART, container="server", cpu_request="1"),
        PauseRollout(target=CART),
        Scale(target=CART, replicas=0),
        UnsetConfigValue(target=CONFIG, key="a"),
    )


def test_an_undo_may_still_not_remove_a_probe_or_a_container() -> None:
    for fields in ({"readinessProbe": None}, {"$patch": "delete"}, {"image": None}):
        text = json.dumps([in_container({**SERVER, **fields})])
        assert rule_of(text, allow_undo=True) in (Rule.FIELD, Rule.VALUE)


def test_messages_do_not_repeat_long_or_odd_texts() -> None:
    with pytest.raises(RejectedPlaybookError) as caught:
        compile_playbook(json.dumps([{"x" * 5000: "secret words"}]))
    assert len(caught.value.message) < 200
    assert "secret words" not in caught.value.message
