"""Turns what models were asked in a run into incidents that any model can be asked offline.

A line is what `reme_lab.training.evaluate` reads. Nothing of a run decides which reply is good
but the fault's own known repairs: one that does the same to the same fields counts, with values as
far off as the fault's oracle leaves them. Where no possible reply does, it is right to do nothing,
for whatever reason: the cause may be elsewhere, or nothing that is allowed repairs it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any

from reme_benchmark.scenarios.faults.model import Control
from reme_benchmark.scoring.records import CaseResult, ModelExchange
from reme_model.prompt.schema import ABSTAIN, Abstain
from reme_playbook.actions.autoscaling import SetAutoscaling
from reme_playbook.actions.quota import SetQuota
from reme_playbook.actions.registry import Action
from reme_playbook.actions.resources import SetResources
from reme_playbook.actions.scale import Scale
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.snapshot.quantity import cpu_millicores


def _nothing(why: Abstain) -> str:
    return json.dumps({ABSTAIN: why}, separators=(",", ":"))


ABSTENTIONS = tuple(_nothing(why) for why in Abstain)
NEAR = 2.0
"""An amount may be so many times the good one, or so small a part of it."""
_AMOUNTS = (Scale, SetAutoscaling, SetQuota, SetResources)
_RIGHT: Mapping[Control, Abstain] = {
    Control.HEALTHY: Abstain.HEALTHY,
    Control.WRONG_TARGET: Abstain.ELSEWHERE,
}


def incidents(results: Iterable[CaseResult]) -> Iterator[dict[str, Any]]:
    """Yield an incident for each case in which a model was asked: its first question alone."""
    for result in results:
        if result.method_report.exchanges:
            yield incident(result, result.method_report.exchanges[0])


def incident(result: CaseResult, exchange: ModelExchange) -> dict[str, Any]:
    """Return one question with every possible reply, and those of them that are good."""
    possible = replies(exchange.reply_schema)
    case = result.case
    good = () if case.control is not None else tuple(_good(result.reference_playbooks, possible))
    if not good:
        why = _RIGHT.get(case.control, Abstain.UNCLEAR) if case.control else Abstain.NO_ACTION
        right = _nothing(why)
        good = (right, *(one for one in ABSTENTIONS if one != right))
    return {
        "id": case.id,
        "fault": str(case.control or case.fault),
        "kind": "control" if case.control else str(case.split),
        "quality": str(case.quality),
        "messages": exchange.messages,
        "answer": good[0],
        "acceptable": list(good),
        "candidates": {one: float(one in good) for one in possible},
        "replied": exchange.reply,
    }


def _good(known: Iterable[list[dict[str, Any]]], possible: Iterable[str]) -> list[str]:
    """Return the possible replies that amount to one of the known repairs, the best first."""
    compiled = [(one, actions) for one in possible if (actions := _compiled(one))]
    good: list[str] = []
    for playbook in known:
        repair = _compiled(json.dumps(playbook))
        if repair:
            good += [one for one, actions in compiled if _same(repair, actions)]
    return list(dict.fromkeys(good))


def _compiled(text: str) -> tuple[Action, ...]:
    try:
        return compile_playbook(text)
    except RejectedPlaybookError:
        return ()


def _same(repair: tuple[Action, ...], actions: tuple[Action, ...]) -> bool:
    """Return whether two repairs do the same, in whatever order: they write different objects."""
    repair, actions = (
        tuple(sorted(unsorted, key=lambda a: a.summary())) for unsorted in (repair, actions)
    )
    return len(repair) == len(actions) and all(
        a == b
        or (
            isinstance(a, _AMOUNTS)
            and type(a) is type(b)
            and _near(a.model_dump(mode="json"), b.model_dump(mode="json"))
        )
        for a, b in zip(repair, actions, strict=True)
    )


def _near(a: Any, b: Any) -> bool:
    """Return whether two values are the same, amounts nearly so."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_near(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_near(x, y) for x, y in zip(a, b, strict=True))
    if a == b:
        return True
    try:
        return 1 / NEAR <= cpu_millicores(str(a)) / cpu_millicores(str(b)) <= NEAR
    except (ValueError, ZeroDivisionError):
        return False


def replies(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Return all replies under a schema of `reme_model.prompt.schema`, as compact as models write them.

    Raises:
        ValueError: the schema has a form that is not one of ours.
    """  # noqa: E501
    written = (
        json.dumps(one, separators=(",", ":"), ensure_ascii=False)
        for one in _values(schema, schema.get("$defs", {}))
    )
    return tuple(dict.fromkeys(written))


def _values(schema: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]]) -> Iterator[Any]:
    if "$ref" in schema:
        yield from _values(parts[str(schema["$ref"]).removeprefix("#/$defs/")], parts)
    elif "anyOf" in schema:
        for choice in schema["anyOf"]:
            yield from _values(choice, parts)
    elif "enum" in schema:
        yield from schema["enum"]
    elif schema.get("type") == "object":
        inner = schema["properties"]
        for combination in product(*(tuple(_values(inner[key], parts)) for key in inner)):
            yield dict(zip(inner, combination, strict=True))
    elif schema.get("type") == "array":
        entries = schema.get("prefixItems") or [schema["items"]] * schema["minItems"]
        for combination in product(*(tuple(_values(entry, parts)) for entry in entries)):
            yield list(combination)
    else:
        raise ValueError(f"no schema of a reply: {sorted(schema)}")
