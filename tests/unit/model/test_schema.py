"""What the schema allows is what may run: no more, and no less."""

import json
from collections.abc import Sequence

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reme_api.actions import ActionName
from reme_model.inference.reply import Abstention, Playbook, parse_reply
from reme_model.prompt.action_templates import group_actions, offered_actions
from reme_model.prompt.messages import render_reply
from reme_model.prompt.schema import Abstain, reply_schema
from reme_playbook.actions.env import SetEnv
from reme_playbook.actions.registry import Action
from reme_playbook.actions.resources import SetResources
from reme_playbook.actions.scale import Scale
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.policy.action_space import allowed_actions
from reme_playbook.policy.validation import validate
from reme_playbook.snapshot.snapshot import ClusterSnapshot, Usage
from tests.unit.model.instances import instances
from tests.unit.model.shops import Shop, policy_of
from tests.unit.playbook import constrained
from tests.unit.playbook.builders import Shop as HeldBack

SHOPS: dict[str, Shop | HeldBack] = {
    "healthy": Shop(),
    "bad image": Shop(image="cart:9", ready=1, earlier=[{"image": "cart:1"}, {"image": "cart:0"}]),
    "selector": Shop(selector={"app": "cart-v2", "track": "x"}),
    "port": Shop(target_port=8081),
    "paused": Shop(paused=True),
    "env": Shop(env={"DB_HOST": "postgres-x", "MODE": "b"}, earlier=[{"env": {"MODE": "a"}}]),
    "config": Shop(config={"DB_URL": "http://postgre:5432/x"}, target_port=9),
    "stateful": Shop(kind="StatefulSet", replicas=1, ready=0),
    "probe": Shop(probe_path="/wrong", earlier=[{"probe_path": "/healthz"}]),
    "limits": Shop(
        limits={"cpu": "2m", "memory": "64Mi"},
        earlier=[{"limits": {"cpu": "300m", "memory": "128Mi"}}],
        usage=Usage(2, 2**25),
    ),
    "scaled to 0": Shop(replicas=0, ready=0, earlier=[{"image": "cart:1"}], earlier_replicas=3),
    **{f"held back {number}": shop for number, shop in enumerate(constrained.ALL)},
}


def playbooks(space: Sequence[Action]) -> list[str]:
    texts = [json.dumps(instance) for instance in instances(reply_schema(space))]
    return [text for text in texts if isinstance(parse_reply(text), Playbook)]


def every_one_passes(live: ClusterSnapshot, *names: ActionName) -> set[Action]:
    policy = policy_of(*names)
    reached: set[Action] = set()
    for text in playbooks(allowed_actions(live, policy)):
        actions = compile_playbook(text)
        validate(actions, policy, live)
        reached.update(actions)
    return reached


@pytest.mark.parametrize("name", SHOPS)
def test_whatever_the_schema_allows_compiles_and_passes_the_gate(name: str) -> None:
    assert every_one_passes(SHOPS[name].live())


@pytest.mark.parametrize("name", SHOPS)
def test_every_admissible_action_can_be_written(name: str) -> None:
    live = SHOPS[name].live()
    assert every_one_passes(live) == set(offered_actions(allowed_actions(live, policy_of())))


def test_the_actions_of_these_shops_are_of_every_name() -> None:
    names = {a.name for shop in SHOPS.values() for a in allowed_actions(shop.live(), policy_of())}
    assert names == set(ActionName)


@settings(max_examples=40, deadline=None)
@given(
    shop=st.builds(
        Shop,
        replicas=st.integers(0, 4),
        ready=st.just(0),
        paused=st.booleans(),
        kind=st.sampled_from(["Deployment", "StatefulSet"]),
        selector=st.dictionaries(st.sampled_from(["app", "tier", "x"]), st.sampled_from("ab")),
        target_port=st.sampled_from([8080, 8081, "http", "web"]),
        env=st.dictionaries(
            st.sampled_from(["DB_HOST", "A", "DB_PASSWORD"]), st.sampled_from(["postgres", "x", ""])
        ),
        limits=st.dictionaries(
            st.sampled_from(["cpu", "memory"]), st.sampled_from(["1", "64Mi", "3G"])
        ),
        earlier=st.lists(
            st.fixed_dictionaries(
                {}, optional={"image": st.sampled_from(["a:1", "b:2"]), "env": st.just({"A": "q"})}
            ),
            max_size=3,
        ),
        config=st.dictionaries(st.sampled_from(["URL", "MODE"]), st.sampled_from(["redi:1", "y"])),
    ),
    names=st.sets(st.sampled_from(ActionName), min_size=1),
)
def test_any_shop_under_any_policy(shop: Shop, names: set[ActionName]) -> None:
    every_one_passes(shop.live(), *sorted(names))


def test_a_value_outside_of_the_list_is_not_of_the_schema() -> None:
    live = Shop().live()
    schema = reply_schema(allowed_actions(live, policy_of()))
    fine = json.loads(render_reply([Scale(target=live.target, replicas=3)]))
    jsonschema.validate(fine, schema)
    fine[0]["kubernetes.core.k8s_scale"]["replicas"] = 400
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(fine, schema)
    with pytest.raises(RejectedPlaybookError):
        validate(compile_playbook(json.dumps(fine)), policy_of(), live)


def test_the_same_task_twice_is_not_of_the_schema() -> None:
    live = SHOPS["selector"].live()
    schema = reply_schema(allowed_actions(live, policy_of()))
    scale = json.loads(render_reply([Scale(target=live.target, replicas=3)]))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([*scale, *scale], schema)


def test_abstaining_is_always_possible() -> None:
    replies = list(instances(reply_schema(())))
    assert [parse_reply(json.dumps(one)) for one in replies] == [
        Abstention(str(r)) for r in Abstain
    ]


def test_the_schema_is_valid_and_says_the_same_each_time() -> None:
    space = allowed_actions(SHOPS["selector"].live(), policy_of())
    schema = reply_schema(space)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.dumps(schema) == json.dumps(reply_schema(space))


def test_values_that_depend_on_each_other_are_not_mixed() -> None:
    target = Shop().key
    space = [
        SetResources(target=target, container="server", cpu_limit=cpu, memory_limit=memory)
        for cpu, memory in (("1", "64Mi"), ("2", "128Mi"), ("2", "256Mi"))
    ]
    actions = [compile_playbook(text)[0] for text in playbooks(space)]
    assert sorted(actions, key=str) == sorted(space, key=str)
    assert len(group_actions(space)) == 2


def test_no_secret_is_offered() -> None:
    target = Shop().key
    secrets = {"DB_PASSWORD": "hunter2", "DB_URL": "postgres://me:hunter2@db/x", "A": "B"}
    space = [
        SetEnv(target=target, container="server", variable=name, value=value)
        for name, value in secrets.items()
    ]
    assert [action.variable for action in offered_actions(space) if isinstance(action, SetEnv)] == [
        "A"
    ]
    assert "hunter2" not in json.dumps(reply_schema(space))


def test_a_value_too_long_to_write_out_is_not_offered() -> None:
    action = SetEnv(target=Shop().key, container="server", variable="A", value="x" * 900)
    assert not offered_actions([action])
