"""Reads the model's reply: a playbook, which is still to be validated, or an abstention."""

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
_CODE_BLOCK_START = re.compile(r"```[a-zA-Z]{0,8}[ \t]*")
_CODE_BLOCK_END = re.compile(r"```[ \t]*")
_TASK_LIST = re.compile(r"^-[ \t]", re.MULTILINE)
_ABSTAINED = re.compile(rf"\A{ABSTAIN}:[ \t]*(\S[^\n]*)\Z")


@dataclass(frozen=True)
class Playbook:
    """A playbook that the model proposes: untrusted text."""

    text: str


@dataclass(frozen=True)
class Abstention:
    """The model proposes no action; its reason is redacted and short."""

    reason: str


def parse_reply(text: str, finish_reason: str = "stop") -> Playbook | Abstention:
    """Return what a reply is; a playbook is not validated here.

    JSON, or YAML as free-form models write it: bare, or as the only fenced block of the text.

    Raises:
        EmptyReplyError: the reply is empty.
        ReplyTooLargeError: it is longer than any playbook.
        TruncatedReplyError: it ends at the limit of tokens.
        MalformedReplyError: it is neither, for example prose.
    """
    if len(text) > MAX_CHARACTERS:
        raise ReplyTooLargeError(
            f"the reply has {len(text)} characters; a playbook has at most {MAX_CHARACTERS}"
        )
    body = _body(text)
    if not body:
        raise EmptyReplyError("the reply is empty")
    if body[0] in "[{":
        return _json(body, finish_reason)
    if finish_reason == "length":  # the beginning of a YAML list is a shorter YAML list
        raise TruncatedReplyError("the reply was cut off at the limit of tokens")
    abstained = _ABSTAINED.match(body)
    if abstained:
        return _abstention(abstained[1].strip("\"'"))
    if not _TASK_LIST.search(body):
        raise MalformedReplyError("the reply is prose, not a playbook")
    return Playbook(body)


def _body(text: str) -> str:
    body = _THOUGHT.sub("", text)
    blocks = _fenced_blocks(body)
    return (blocks[0] if len(blocks) == 1 else body).strip()


def _fenced_blocks(text: str) -> list[str]:
    """Return the texts between an opening and the next closing fence, in one pass over the lines.

    A regular expression for this needs time quadratic in the number of fences.
    """
    blocks: list[str] = []
    first: int | None = None
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if first is None:
            first = number + 1 if _CODE_BLOCK_START.fullmatch(line) else None
        elif _CODE_BLOCK_END.fullmatch(line):
            blocks.append("\n".join(lines[first:number]))
            first = None
    return blocks


def _json(body: str, finish_reason: str) -> Playbook | Abstention:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        if finish_reason == "length":
            raise TruncatedReplyError("the reply was cut off at the limit of tokens") from error
        raise MalformedReplyError("the reply is not valid JSON") from error
    if isinstance(data, list) and data:
        return Playbook(body)
    if isinstance(data, dict) and set(data) == {ABSTAIN} and isinstance(data[ABSTAIN], str):
        return _abstention(data[ABSTAIN])
    if data == []:
        return Abstention("an empty playbook")
    raise MalformedReplyError("the reply is neither a list of tasks nor an abstention")


def _abstention(reason: str) -> Abstention:
    return Abstention(short(reason, _REASON) or "no reason given")
