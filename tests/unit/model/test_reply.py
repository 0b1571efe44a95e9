"""What a reply amounts to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reme_model.inference.errors import (
    EmptyReplyError,
    MalformedReplyError,
    ModelError,
    ReplyTooLargeError,
    TruncatedReplyError,
)
from reme_model.inference.reply import MAX_CHARACTERS, Abstention, Playbook, parse_reply

TASKS = '[{"kubernetes.core.k8s_rollback":{"kind":"Deployment","name":"a","namespace":"b"}}]'
YAML = "- kubernetes.core.k8s_rollback:\n    kind: Deployment\n    name: a\n    namespace: b"


@pytest.mark.parametrize(
    "text",
    [
        TASKS,
        f"  {TASKS}\n\n",
        f"<think>hm, [a]</think>\n{TASKS}",
        f"Here it is:\n```json\n{TASKS}\n```\nGood luck!",
    ],
)
def test_json_is_a_playbook(text: str) -> None:
    assert parse_reply(text) == Playbook(TASKS)


@pytest.mark.parametrize(
    "text", [YAML, f"Sure.\n```yaml\n{YAML}\n```\n", f"<think>x</think>{YAML}"]
)
def test_yaml_is_a_playbook(text: str) -> None:
    assert parse_reply(text) == Playbook(YAML)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"abstain":"healthy"}', "healthy"),
        ("abstain: all is well", "all is well"),
        ('{"abstain":""}', "no reason given"),
        ('{"abstain":"password=hunter2 \\n<|x|>"}', "password=[redacted] (|x|)"),
        ("[]", "an empty playbook"),
    ],
)
def test_abstaining(text: str, reason: str) -> None:
    assert parse_reply(text) == Abstention(reason)


def test_the_reason_of_an_abstention_is_short() -> None:
    reply = parse_reply('{"abstain":"' + "x" * 5000 + '"}')
    assert isinstance(reply, Abstention)
    assert len(reply.reason) == 120


@pytest.mark.parametrize("text", ["", "  \n ", "<think>only thought</think>", "```\n```"])
def test_nothing(text: str) -> None:
    with pytest.raises(EmptyReplyError):
        parse_reply(text)


@pytest.mark.parametrize(
    "text",
    [
        "I would restart the pods.",
        '{"abstain":"x","then":1}',
        '{"abstain":7}',
        '{"hosts":"all"}',
        '[{"kubernetes.core.k8s":{"kind":',
        "[" * 50_000,
        "```\na\n```\n```\nb\n```",
    ],
)
def test_neither(text: str) -> None:
    with pytest.raises(MalformedReplyError):
        parse_reply(text)


@pytest.mark.parametrize("text", [TASKS[:-5], YAML, "I think that"])
def test_cut_off_at_the_limit_of_tokens(text: str) -> None:
    with pytest.raises(TruncatedReplyError):
        parse_reply(text, "length")


def test_complete_json_is_complete_whatever_came_after_it() -> None:
    assert parse_reply(TASKS + "\n" * 200, "length") == Playbook(TASKS)


def test_too_much() -> None:
    with pytest.raises(ReplyTooLargeError):
        parse_reply("x" * (MAX_CHARACTERS + 1))


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_reply(text)
    except ModelError:
        return
