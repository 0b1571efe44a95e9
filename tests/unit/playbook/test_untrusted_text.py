"""Whatever a model or a person writes ends in actions or in a typed error."""

import json
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reme_model.inference.errors import ReplyError, ReplyTooLargeError
from reme_model.inference.reply import MAX_CHARACTERS, Playbook, parse_reply
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.execution.render import render, tasks
from tests.unit.playbook.strategies import internal, nearly, playbooks, public

DIGITS = ("²", "\uff11", "\u0663", "9" * 5000, "1_0", "-0", "+1", "1e9", "0x1", " 1", "nan", "")
OTHER = ("\ud800", "\u202e", "{{", "\x00", "~", "null", "[]", "{}", '"', "/", "\\u00b2", "\\ud800")


@st.composite
def altered(draw: st.DrawFn) -> str:
    """Return a playbook in which a few pieces, digits for choice, are replaced by odd ones."""
    form = draw(st.sampled_from([tasks, render]))
    text = json.dumps(form(draw(playbooks(public | internal))))
    for _ in range(draw(st.integers(1, 3))):
        digits = [match.start() for match in re.finditer("[0-9]", text)]
        of_digits: bool = draw(st.booleans())
        if digits and of_digits:
            place, piece = draw(st.sampled_from(digits)), draw(st.sampled_from(DIGITS))
        else:
            place = draw(st.integers(0, len(text) - 1)) if text else 0
            piece = draw(st.sampled_from(DIGITS + OTHER))
        text = text[:place] + piece + text[place + draw(st.integers(0, 2)) :]
    return text


@st.composite
def long(draw: st.DrawFn) -> str:
    """Return up to a few characters more than is read."""
    unit = draw(st.text(min_size=1, max_size=8) | st.sampled_from(["```\n", "- ", "[", "- a: b\n"]))
    length = draw(st.integers(0, MAX_CHARACTERS + 2))
    return (draw(nearly) + unit * (length // len(unit) + 1))[:length]


untrusted = st.one_of(altered(), altered(), nearly, st.text(), long())


@settings(max_examples=600, deadline=None)
@given(
    st.one_of(altered(), altered(), nearly, st.text(), long()), st.sampled_from(["stop", "length"])
)
@example("- " + "x" * (MAX_CHARACTERS - 1), "stop")
@example('["²"]', "stop")
def test_any_reply_ends_in_actions_or_a_typed_error(text: str, finish_reason: str) -> None:
    try:
        reply = parse_reply(text, finish_reason)
    except ReplyTooLargeError:
        assert len(text) > MAX_CHARACTERS
        return
    except ReplyError:
        return
    if isinstance(reply, Playbook):
        assert_compiled_or_rejected(reply.text)


@settings(max_examples=600, deadline=None)
@given(untrusted)
def test_any_edit_ends_in_actions_or_a_typed_error(text: str) -> None:
    assert_compiled_or_rejected(text)


def assert_compiled_or_rejected(text: str) -> None:
    for for_rollback in (False, True):
        rejection = None
        try:
            assert compile_playbook(text, for_rollback=for_rollback)
        except RejectedPlaybookError as error:
            rejection = error
        assert rejection is None or rejection.message.isprintable()


@pytest.mark.parametrize("index", DIGITS)
@pytest.mark.parametrize("field", ["rules", "paths"])
def test_only_an_index_is_an_index(field: str, index: str) -> None:
    place = {"rules": "0", "paths": "0"} | {field: index}
    patch: list[dict[str, Any]] = [
        {"op": "test", "path": "/spec/rules/0/host", "value": "shop.example"},
        {
            "op": "replace",
            "path": f"/spec/rules/{place['rules']}/http/paths/{place['paths']}/backend/service",
            "value": {"name": "cart", "port": {"number": 80}},
        },
    ]
    task = {"kind": "Ingress", "name": "shop", "namespace": "shop", "patch": patch}
    with pytest.raises(RejectedPlaybookError):
        compile_playbook(json.dumps([{"kubernetes.core.k8s_json_patch": task}]))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["```\n", "```yaml\n", "```json  \n", "``` ", "```", "x\n", "- a\n", "\n", " ", "`"]
        ),
        max_size=14,
    ).map("".join)
)
def test_fences_are_found_as_a_regular_expression_would(text: str) -> None:
    fenced = re.compile(r"^```[a-zA-Z]{0,8}[ \t]*\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)
    blocks = fenced.findall(text)
    expected = (blocks[0] if len(blocks) == 1 else text).strip()
    try:
        reply = parse_reply(text)
    except ReplyError:
        assert not expected.startswith("- a")
    else:
        assert isinstance(reply, Playbook)
        assert reply.text == expected
