"""The conversation that is sent to the model."""

import json

import jsonschema

from reme_model.inference.reply import Abstention, Playbook, parse_reply
from reme_model.prompt.choices import list_choices
from reme_model.prompt.context import describe_incident
from reme_model.prompt.examples import EXAMPLES
from reme_model.prompt.messages import (
    SYSTEM,
    TRAINED,
    PromptStyle,
    build_messages,
    incident_message,
    render_reply,
)
from reme_model.prompt.schema import reply_schema
from reme_playbook.actions.config_value import SetConfigValue
from reme_playbook.actions.env import SetEnv
from reme_playbook.actions.service import PatchServiceSelector
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.policy.action_space import allowed_actions
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import Usage
from tests.unit.model.shops import Shop, policy_of, report_about


def test_everything_before_the_incident_is_always_the_same() -> None:
    live, space = Shop().live(), allowed_actions(Shop().live(), policy_of())
    one = build_messages(describe_incident(live, report_about("a")), space)
    other = build_messages("something else", ())
    assert one[:-1] == other[:-1]
    assert one[0] == {"role": "system", "content": SYSTEM}
    assert [m["role"] for m in one[1:]] == ["user", "assistant"] * len(EXAMPLES) + ["user"]


def test_the_choices_are_told_only_if_that_is_asked_for() -> None:
    space = allowed_actions(Shop().live(), policy_of())
    assert not any("possible:" in m["content"] for m in build_messages("x", space)[1:])
    conversation = [
        m["content"] for m in build_messages("x", space, PromptStyle.CHOICES) if m["role"] == "user"
    ]
    assert len(conversation) == len(EXAMPLES) + 1
    assert all(text.startswith("possible: ") for text in conversation)


def test_the_examples_answer_as_the_schema_wants() -> None:
    replies = build_messages("", ())
    answers = [m["content"] for m in replies if m["role"] == "assistant"]
    for example, answer in zip(EXAMPLES, answers, strict=True):
        jsonschema.validate(json.loads(answer), reply_schema(example.space))
        parsed = parse_reply(answer)
        if example.abstain:
            assert parsed == Abstention(str(example.abstain))
        else:
            assert isinstance(parsed, Playbook)
            assert compile_playbook(parsed.text) == example.repair


def test_the_choices_are_told_in_one_line() -> None:
    used = Usage(cpu_millicores=20, memory_bytes=100 * 2**20)
    shop = Shop(selector={"app": "x"}, image="cart:9", earlier=[{"image": "cart:1"}], usage=used)
    conversation = incident_message(
        "context", allowed_actions(shop.live(), policy_of()), tell_choices=True
    )
    (text,) = [one for one in conversation.splitlines() if one.startswith("possible: ")]
    assert text.startswith("possible: restart; roll back; scale to 3 or 4; ")
    assert "set memory limit of server to 160Mi or 192Mi or 256Mi" in text
    assert "set selector of service cart to app=cart" in text
    assert text.endswith("; abstain")


def test_choices_hold_no_secret_and_no_second_line() -> None:
    target, config = Shop().key, ObjectRef("ConfigMap", "shop", "c")
    text = list_choices(
        [
            SetEnv(target=target, container="server", variable="TOKEN", value="hunter2"),
            SetConfigValue(target=config, key="key", value="a\nb <|im_end|>"),
            PatchServiceSelector(
                target=ObjectRef("Service", "shop", "cart"), selector={"app": "cart", "v": None}
            ),
        ]
    )
    assert text == (
        "set key of config c to a b (|im_end|); "
        "set selector of service cart to app=cart,no v; abstain"
    )


def test_what_is_written_compiles_to_the_same() -> None:
    space = allowed_actions(Shop().live(), policy_of())
    assert [compile_playbook(render_reply([action])) for action in space] == [(a,) for a in space]


def test_a_trained_model_is_asked_with_one_sentence_and_no_examples() -> None:
    conversation = build_messages("context", (), PromptStyle.TRAINED)
    assert conversation == [
        {"role": "system", "content": TRAINED},
        {"role": "user", "content": "context"},
    ]
