"""Reads what the model wrote: a playbook, which the gate judges, or an abstention."""

import json
import re
from dataclasses import dataclass

from reme_model.inference.errors import (
    EmptyReplyError,
    MalformedReplyError,
    ReplyTooLargeError,
    TruncatedReplyError,
)
from reme_model.prompt.redact import short
from reme_model.prompt.schema import ABSTAIN

MAX_CHARACTERS = 64 * 1024
_REASON = 120
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_FENCED = re.compile(r"^```[a-zA-Z]{0,8}[ \t]*\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)
_TASK_LIST = re.compile(r"^-[ \t]", re.MULTILINE)
_ABSTAINED = re.compile(rf"\A{ABSTAIN}:[ \t]*(\S[^\n]*)\Z")


@dataclass(frozen=True)
class Playbook:
    """What the model would run: untrusted text."""

    text: str


@dataclass(frozen=True)
class Abstention:
    """The model would rather do nothing; its reason is foreign text, made short and harmless."""

    reason: str


def parse_reply(text: str, finish_reason: str = "stop") -> Playbook | Abstention:
    """Return what a reply amounts to; whether a playbook may run is the gate's to say.

    JSON, or YAML as free-form models write it: bare, or as the only fenced block of the text.

    Raises:
        EmptyReplyError: there is nothing.
        ReplyTooLargeError: there is more than any playbook has.
        TruncatedReplyError: it stops at the limit of tokens.
        MalformedReplyError: it is something else, such as prose.
    """
    if len(text) > MAX_CHARACTERS:
        raise ReplyTooLargeError(f"the reply has more than {MAX_CHARACTERS} characters")
    body = _body(text)
    if not body:
        raise EmptyReplyError("the reply is empty")
    if body[0] in "[{":
        return _json(body, finish_reason)
    if finish_reason == "length":  # the beginning of a YAML list is a shorter YAML list
        raise TruncatedReplyError("the reply stops at the limit of tokens")
    abstained = _ABSTAINED.match(body)
    if abstained:
        return _abstention(abstained[1].strip("\"'"))
    if not _TASK_LIST.search(body):
        raise MalformedReplyError("the reply is prose")
    return Playbook(body)


def _body(text: str) -> str:
    body = _THOUGHT.sub("", text)
    fenced = _FENCED.findall(body)
    return str(fenced[0] if len(fenced) == 1 else body).strip()


def _json(body: str, finish_reason: str) -> Playbook | Abstention:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        if finish_reason == "length":
            raise TruncatedReplyError("the reply stops at the limit of tokens") from error
        raise MalformedReplyError("the reply is no valid JSON") from error
    if isinstance(data, list) and data:
        return Playbook(body)
    if isinstance(data, dict) and set(data) == {ABSTAIN} and isinstance(data[ABSTAIN], str):
        return _abstention(data[ABSTAIN])
    if data == []:
        return Abstention("an empty playbook")
    raise MalformedReplyError("the reply is neither a list of tasks nor an abstention")


def _abstention(reason: str) -> Abstention:
    return Abstention(short(reason, _REASON) or "no reason given")
