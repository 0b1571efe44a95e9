"""Reads a playbook's text as plain data, and rejects what could be read in two ways.

Accepts JSON and YAML with objects, lists, strings, integers, true, false and null. Rejects
anchors, aliases, tags, merge keys, duplicate keys, and strings that Ansible would evaluate.
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
"""Far more than a playbook has: YAML is read slowly, and on the operator's event loop."""
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,15}", re.ASCII)
_RESOLVER = yaml.resolver.Resolver()
_TRUE = frozenset({"yes", "true", "on"})


def load(text: str) -> Any:
    """Return the data of the text.

    Raises RejectedPlaybookError, and nothing else, for any other text.
    """
    _check_size(text)
    data = _load(text)
    for string, is_key in _strings(data):
        _check_string(string, is_key=is_key)
    return data


def _check_size(text: str) -> None:
    if not text.strip():
        raise RejectedPlaybookError(
            RejectionRule.EMPTY, "the playbook is empty: write a list with at least one task"
        )
    try:
        size = len(text.encode()) if len(text) <= MAX_BYTES else MAX_BYTES + 1
    except UnicodeEncodeError:
        raise RejectedPlaybookError(
            RejectionRule.CHARACTER,
            "the playbook is not valid Unicode: remove the surrogate characters",
        ) from None
    if size > MAX_BYTES:
        raise RejectedPlaybookError(
            RejectionRule.TOO_LARGE,
            f"the playbook is larger than {MAX_BYTES} bytes, which no playbook needs: shorten it",
        )


def _load(text: str) -> Any:
    if text.lstrip()[0] in "[{":
        try:
            return _from_json(text)
        except json.JSONDecodeError:
            pass  # YAML starts with the same characters, and allows more
        except RecursionError:
            _reject_depth()
    try:
        return _from_events(text)
    except yaml.MarkedYAMLError as error:
        mark, problem = error.problem_mark, quote(error.problem or "syntax error", 160)[1:-1]
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        raise RejectedPlaybookError(
            RejectionRule.SYNTAX, f"{where}neither valid JSON nor valid YAML: {problem}"
        ) from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        # The scanner raises them for characters, escapes and versions that it cannot represent.
        raise RejectedPlaybookError(
            RejectionRule.SYNTAX,
            "neither valid JSON nor valid YAML: it contains a character or number that cannot be "
            "represented",
        ) from None


def _reject_depth() -> NoReturn:
    raise RejectedPlaybookError(
        RejectionRule.TOO_DEEP,
        f"the playbook is nested more than {MAX_DEPTH} levels deep, which no task needs",
    )


def _from_json(text: str) -> Any:
    data = json.loads(
        text,
        object_pairs_hook=_object,
        parse_int=_integer,
        parse_float=_reject_float,
        parse_constant=_reject_float,
    )
    _check_depth(data)
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key, value in pairs:
        if key in data:
            _reject_duplicate(key)
        data[key] = value
    return data


def _reject_duplicate(key: str) -> NoReturn:
    raise RejectedPlaybookError(
        RejectionRule.DUPLICATE_KEY, f"the key {quote(key)} occurs twice in one object: keep one"
    )


def _integer(digits: str) -> int:
    if not _INTEGER.fullmatch(digits):
        raise RejectedPlaybookError(
            RejectionRule.VALUE,
            f"expected a decimal integer, got {quote(digits, 24)}: quote it if it is text",
        )
    return int(digits)


def _reject_float(digits: str) -> NoReturn:
    raise RejectedPlaybookError(
        RejectionRule.VALUE, f"expected an integer, got {quote(digits, 24)}: quote quantities"
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
        _reject_depth()


def _from_events(text: str) -> Any:
    """Build the data from the parser's events: no alias is ever expanded."""
    documents: list[Any] = []
    open_nodes: list[_OpenNode] = []
    for number, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        if number > MAX_NODES:
            raise RejectedPlaybookError(
                RejectionRule.TOO_LARGE,
                f"the playbook has more than {MAX_NODES} keys and values: shorten it",
            )
        _check_event(event)
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            if len(open_nodes) >= MAX_DEPTH:
                _reject_depth()
            open_nodes.append(_OpenNode(is_mapping=isinstance(event, yaml.MappingStartEvent)))
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
        raise RejectedPlaybookError(
            RejectionRule.SHAPE,
            f"expected one YAML document, got {len(documents)}: "
            + ("remove the '---' between them" if documents else "write a list of tasks"),
        )
    return documents[0]


class _OpenNode:
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
            if isinstance(value, dict | list):
                reason = (
                    "an object or list is not a key (templates such as {{ x }} are not allowed)"
                )
            else:
                reason = f"the key {quote(value)} is not text: quote it"
            raise RejectedPlaybookError(RejectionRule.SYNTAX, reason)
        elif value in self.data:
            _reject_duplicate(value)
        else:
            self._key = value


def _check_event(event: yaml.Event) -> None:
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
        raise RejectedPlaybookError(
            RejectionRule.ALIAS,
            "anchors and aliases are not allowed: write the value where it is needed",
        )
    tag = getattr(event, "tag", None)
    if tag is not None:
        raise RejectedPlaybookError(
            RejectionRule.TAG, f"the YAML tag {quote(tag)} is not allowed: remove it"
        )


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
        _reject_float(text)
    if tag == "merge":
        raise RejectedPlaybookError(
            RejectionRule.ALIAS, "merge keys ('<<') are not allowed: write the fields out"
        )
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
            RejectionRule.TEMPLATE,
            f"{quote(text)} is a template, and templates are not evaluated: write the value",
        )
    if not is_printable(text, also="" if is_key else "\n\t"):
        raise RejectedPlaybookError(
            RejectionRule.CHARACTER,
            f"{quote(text)} contains control or formatting characters: remove them",
        )
