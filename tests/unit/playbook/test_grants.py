from hypothesis import given, settings

from reme_api.run_grant import GrantRule, Verb
from reme_playbook.actions.config_value import SetConfigValue
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.env import SetEnv
from reme_playbook.actions.registry import Action
from reme_playbook.actions.resources import SetResources
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from reme_playbook.actions.scale import Scale
from reme_playbook.actions.service import PatchServicePort, PatchServiceSelector
from reme_playbook.execution.grants import RUN_ROLES, cluster_roles, grant_rules, run_roles
from reme_playbook.snapshot.field_path import dotted
from tests.unit.playbook.builders import CART, CONFIG, SERVICE, key
from tests.unit.playbook.strategies import internal, playbooks, public


def test_a_grant_names_the_object_and_its_fields() -> None:
    assert grant_rules(
        [
            SetResources(target=CART, container="server", memory_limit="1Gi", cpu_request="1"),
            SetEnv(target=CART, container="proxy", variable="A", value="x"),
            Restart(target=CART),
            Scale(target=CART, replicas=3),
            PatchServicePort(target=SERVICE, port=80, target_port=8080),
            PatchServiceSelector(target=SERVICE, selector={"a.b/c": "x", "d": None}),
            SetConfigValue(target=CONFIG, key="app.color", value="red"),
            DeletePod(target=key("Pod", "p")),
        ]
    ) == [
        GrantRule(
            group="apps",
            resource="deployments",
            namespace="shop",
            name="cart",
            verbs=[Verb.UPDATE],
            fields=[
                "spec.template.spec.containers[server].resources",
                "spec.template.spec.containers[proxy].env[A]",
                "spec.template.metadata.annotations[reme.dev/restarted-at]",
            ],
            values={
                "spec.template.spec.containers[server].resources.limits.memory": "1Gi",
                "spec.template.spec.containers[server].resources.requests.cpu": "1",
                "spec.template.spec.containers[proxy].env[A].value": "x",
                "spec.template.metadata.annotations[reme.dev/restarted-at]": "now",
            },
        ),
        GrantRule(
            group="apps",
            resource="deployments/scale",
            namespace="shop",
            name="cart",
            verbs=[Verb.UPDATE],
            fields=["spec.replicas"],
            values={"spec.replicas": 3},
        ),
        GrantRule(
            resource="services",
            namespace="shop",
            name="cart",
            verbs=[Verb.UPDATE],
            fields=["spec.ports[80].targetPort", "spec.selector[a.b/c]", "spec.selector[d]"],
            values={"spec.ports[80].targetPort": 8080, "spec.selector[a.b/c]": "x"},
        ),
        GrantRule(
            resource="configmaps",
            namespace="shop",
            name="cart-config",
            verbs=[Verb.UPDATE],
            fields=["data[app.color]"],
            values={"data[app.color]": "red"},
        ),
        GrantRule(resource="pods", namespace="shop", name="p", verbs=[Verb.DELETE]),
    ]


def test_a_rollback_may_write_the_template_and_nothing_else() -> None:
    (rule,) = grant_rules([Rollback(target=CART)])
    assert (rule.fields, rule.values) == (["spec.template"], {})


def test_a_rollback_brings_one_template_back_and_no_other() -> None:
    labels = {"app": "cart", "pod-template-hash": "6d5f7"}
    template = {
        "metadata": {"creationTimestamp": None, "labels": labels},
        "spec": {"containers": [{"name": "server", "image": "cart:1"}]},
    }
    (rule,) = grant_rules([Rollback(target=CART)], templates={CART: template})
    assert rule.values == {
        "spec.template": {
            "labels": {"app": "cart"},
            "annotations": {},
            "spec": {"containers": [{"name": "server", "image": "cart:1"}]},
        }
    }
    assert GrantRule.model_validate(rule.wire()) == rule


@settings(max_examples=80, deadline=None)
@given(playbooks(public | internal))
def test_a_grant_covers_the_actions_and_nothing_beyond(actions: tuple[Action, ...]) -> None:
    rules = grant_rules(actions)
    written_by_rule: dict[tuple[str, str], set[str]] = {}
    for action in actions:
        resource = action.target.plural + ("/scale" if isinstance(action, Scale) else "")
        (rule,) = [
            r
            for r in rules
            if (r.resource, r.namespace, r.name)
            == (resource, action.target.namespace, action.target.name)
        ]
        assert rule.verbs == [Verb.DELETE if isinstance(action, DeletePod) else Verb.UPDATE]
        for path in map(dotted, action.paths()):
            cover = [f for f in rule.fields if path == f or path.startswith((f + ".", f + "["))]
            assert cover, f"{path} is not granted"
            key = (str(rule.namespace), f"{resource} {rule.name}")
            written_by_rule.setdefault(key, set()).update(cover)
    for rule in rules:
        assert GrantRule.model_validate(rule.model_dump()) == rule
        granted = written_by_rule.get((rule.namespace, f"{rule.resource} {rule.name}"), set())
        assert set(rule.fields) == granted
    roles = {r.resource.removesuffix("/scale") for r in rules}
    assert run_roles(actions) == roles - {"nodes"}
    assert cluster_roles(actions) == roles & {"nodes"}
    assert all((r.namespace == "") == (r.resource == "nodes") for r in rules)


def test_every_resource_has_its_role_and_no_role_is_broad() -> None:
    assert set(RUN_ROLES) == {
        "deployments",
        "statefulsets",
        "daemonsets",
        "services",
        "configmaps",
        "pods",
        "horizontalpodautoscalers",
        "resourcequotas",
        "poddisruptionbudgets",
        "jobs",
        "ingresses",
        "networkpolicies",
        "nodes",
        "result",
    }
    for rules in RUN_ROLES.values():
        for rule in rules:
            assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])
            assert not {"create", "update", "deletecollection"} & set(rule["verbs"])
            assert "secrets" not in rule["resources"]
    assert [rule for rule in RUN_ROLES["pods"] if "delete" in rule["verbs"]]
