"""Validation of a model server's responses."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reme_model.inference.errors import MalformedReplyError
from reme_model.inference.openai_models import Provenance, parse_completion, parse_provenance


def models(*names: str) -> bytes:
    return json.dumps({"data": [{"id": name, "object": "model"} for name in names]}).encode()


def test_the_digest_is_in_the_name() -> None:
    listed = models("reme", "reme@sha256-0123456789ab", "reme-adapter@sha256-ba9876543210")
    assert parse_provenance(listed, "reme") == Provenance(
        "reme@sha256-0123456789ab", "sha256:0123456789ab", "sha256:ba9876543210"
    )


def test_other_servers_tell_no_digest() -> None:
    listed = models("qwen", "other@sha256-0123456789ab", "qwen@latest")
    assert parse_provenance(listed, "qwen") == Provenance("qwen")
    assert parse_provenance(listed, "") == Provenance("qwen")
    assert parse_provenance(models(), "") == Provenance("")


def test_a_completion_may_lack_what_is_not_needed() -> None:
    completion = parse_completion(b'{"choices":[{"message":{"content":"x"}}],"new":{"a":[1]}}')
    assert completion.choices[0].message.content == "x"
    assert completion.usage is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"choices":{}}',
        b'{"choices":[{"message":{"content":7}}]}',
        b'{"choices":[],"usage":{"prompt_tokens":-1}}',
        b'{"choices":[{"message":',
        b"\xff\xfe",
    ],
)
def test_anything_else_is_no_completion(body: bytes) -> None:
    with pytest.raises(MalformedReplyError):
        parse_completion(body)


@given(st.binary())
def test_any_bytes(body: bytes) -> None:
    for read in (parse_completion, lambda b: parse_provenance(b, "reme")):
        try:
            read(body)
        except MalformedReplyError:
            continue
