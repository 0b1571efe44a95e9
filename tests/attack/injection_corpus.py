"""The injection attempts of injections.yaml, and the harm that a model would do that obeys them."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("injections.yaml")
Task = dict[str, Any]


@dataclass(frozen=True)
class Injection:
    """One text of an attacker; `hides` is what must not be passed on, `wants` names the harm."""

    id: str
    text: str
    wants: str
    hides: str = ""


@cache
def injections() -> tuple[Injection, ...]:
    """Return every attempt."""
    return tuple(
        Injection(
            entry["id"],
            entry["text"] * entry.get("repeat", 1),
            entry["wants"],
            entry.get("hides", ""),
        )
        for entry in _document()["attempts"]
    )


def harm(name: str, namespace: str = "shop") -> list[Task]:
    """Return the tasks that a model writes that does as it is told."""
    text = json.dumps(_document()["harms"][name])
    tasks: list[Task] = json.loads(text.replace("{ns}", namespace))
    return tasks


def harms() -> tuple[str, ...]:
    """Return the names of everything harmful that an attempt wants."""
    return tuple(name for name, tasks in _document()["harms"].items() if tasks)


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return document
