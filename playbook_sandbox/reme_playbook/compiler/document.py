"""Loads a text into plain data, and refuses whatever could mean two things.

JSON and YAML are read, without anchors, aliases, tags, merge keys and duplicate keys, into
objects, lists, strings, whole numbers, true, false and null. Strings that Ansible would evaluate
are refused wherever they stand.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml

from reme_playbook.actions.string_types import holds_template, is_printable
from reme_playbook.errors import RejectedPlaybookError, RejectionRule, quote

MAX_BYTES = 64 * 1024
MAX_DEPTH = 24
MAX_NODES = 4096
"""Far more than a playbook has; reading YAML is slow, and others wait meanwhile."""
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,15}", re.ASCII)
_RESOLVER = yaml.resolver.Resolver()
_TRUE = frozenset({"yes", "true", "on"})


def load(text: str) -> Any:
    """Return the data that the text holds.

    Raises RejectedPlaybookError, and nothing else, whatever the text is.
    """
    _check_size(text)
    data = _load(text)
    for string, is_key in _strings(data):
        _check_string(string, is_key=is_key)
    return data


def _check_size(text: str) -> None:
    if not text.strip():
        raise RejectedPlaybookError(RejectionRule.EMPTY, "the playbook is empty")
    try:
        size = len(text.encode()) if len(text) <= MAX_BYTES else MAX_BYTES + 1
    except UnicodeEncodeError:
        raise RejectedPlaybookError(
            RejectionRule.CHARACTER, "the playbook is no valid Unicode"
        ) from None
    if size > MAX_BYTES:
        raise RejectedPlaybookError(
            RejectionRule.TOO_LARGE, f"the playbook is larger than {MAX_BYTES} B"
        )


def _load(text: str) -> Any:
    if text.lstrip()[0] in "[{":
        try:
            return _from_json(text)
        except json.JSONDecodeError:
            pass  # YAML begins with the same characters, and allows more
        except RecursionError:
            _too_deep()
    try:
        return _from_events(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise RejectedPlaybookError(RejectionRule.SYNTAX, f"neither JSON nor YAML{where}") from None
    except (ValueError, OverflowError, RecursionError):
        # The scanner lets these through, for escapes and versions with absurd numbers.
        raise RejectedPlaybookError(RejectionRule.SYNTAX, "neither JSON nor YAML") from None


def _too_deep() -> NoReturn:
    raise RejectedPlaybookError(RejectionRule.TOO_DEEP, f"nested more than {MAX_DEPTH} levels deep")


def _from_json(text: str) -> Any:
    data = json.loads(
        text,
        object_pairs_hook=_object,
        parse_int=_integer,
        parse_float=_no_float,
        parse_constant=_no_float,
    )
    _check_depth(data)
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise RejectedPlaybookError(
                RejectionRule.DUPLICATE_KEY, f"the key {quote(key)} stands twice"
            )
        found[key] = value
    return found


def _integer(digits: str) -> int:
    if not _INTEGER.fullmatch(digits):
        raise RejectedPlaybookError(
            RejectionRule.VALUE,
            f"{quote(digits, 24)} is no plain whole number: quote it if it is text",
        )
    return int(digits)


def _no_float(digits: str) -> NoReturn:
    raise RejectedPlaybookError(
        RejectionRule.VALUE, f"{quote(digits, 24)} is no whole number: quote it if it is an amount"
    )


def _check_depth(data: Any) -> None:
    level: list[Any] = [data]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return
    if any(isinstance(value, dict | list) for value in level):
        _too_deep()


def _from_events(text: str) -> Any:
    """Build the data from parser events: nothing is composed, so nothing can be expanded."""
    documents: list[Any] = []
    open_nodes: list[_Node] = []
    for number, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        if number > MAX_NODES:
            raise RejectedPlaybookError(RejectionRule.TOO_LARGE, f"more than {MAX_NODES} pieces")
        _check_event(event)
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            if len(open_nodes) >= MAX_DEPTH:
                _too_deep()
            open_nodes.append(_Node(is_mapping=isinstance(event, yaml.MappingStartEvent)))
            continue
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            value = open_nodes.pop().data
        else:
            continue
        if open_nodes:
            open_nodes[-1].add(value)
        else:
            documents.append(value)
    if len(documents) != 1:
        raise RejectedPlaybookError(RejectionRule.SHAPE, "there must be exactly one document")
    return documents[0]


class _Node:
    """A mapping or a sequence that is still being read."""

    def __init__(self, *, is_mapping: bool) -> None:
        self.data: dict[str, Any] | list[Any] = {} if is_mapping else []
        self._key: str | None = None

    def add(self, value: Any) -> None:
        if isinstance(self.data, list):
            self.data.append(value)
        elif self._key is not None:
            self.data[self._key] = value
            self._key = None
        elif not isinstance(value, str):
            raise RejectedPlaybookError(RejectionRule.SYNTAX, f"the key {quote(value)} is no text")
        elif value in self.data:
            raise RejectedPlaybookError(
                RejectionRule.DUPLICATE_KEY, f"the key {quote(value)} stands twice"
            )
        else:
            self._key = value


def _check_event(event: yaml.Event) -> None:
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
        raise RejectedPlaybookError(RejectionRule.ALIAS, "anchors and aliases are not allowed")
    tag = getattr(event, "tag", None)
    if tag is not None:
        raise RejectedPlaybookError(RejectionRule.TAG, f"the tag {quote(tag)} is not allowed")


def _scalar(event: yaml.ScalarEvent) -> Any:
    text: str = event.value
    resolved: str = _RESOLVER.resolve(yaml.ScalarNode, text, event.implicit)  # type: ignore[no-untyped-call]
    tag = resolved.rpartition(":")[2]
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() in _TRUE
    if tag == "int":
        return _integer(text)
    if tag == "float":
        _no_float(text)
    if tag == "merge":
        raise RejectedPlaybookError(RejectionRule.ALIAS, "merge keys are not allowed")
    return text


def _strings(data: Any) -> Iterator[tuple[str, bool]]:
    waiting = [data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value, False
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            for key in value:
                yield key, True
            waiting.extend(value.values())


def _check_string(text: str, *, is_key: bool) -> None:
    if holds_template(text):
        raise RejectedPlaybookError(
            RejectionRule.TEMPLATE, f"templates are not allowed: {quote(text)}"
        )
    if not is_printable(text, also="" if is_key else "\n\t"):
        raise RejectedPlaybookError(
            RejectionRule.CHARACTER,
            f"control or formatting characters are not allowed: {quote(text)}",
        )
