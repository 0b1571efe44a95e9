"""All actions: the classes by name, and how plain data becomes one of them.

Every module of this package is imported here, so that a new action only needs its own file.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny, TypeAdapter

from reme_api.actions import ActionName
from reme_playbook import actions
from reme_playbook.actions.base import CLASSES, Action, build

for _module in pkgutil.iter_modules(actions.__path__):
    importlib.import_module(f"{actions.__name__}.{_module.name}")

PUBLIC: Mapping[ActionName, type[Action]] = {
    name: action
    for name in ActionName
    for action in CLASSES.values()
    if action.NAME is name and not action.INTERNAL
}
"""The action that policies, models and people may use under each name."""
INTERNAL: tuple[type[Action], ...] = tuple(a for a in CLASSES.values() if a.INTERNAL)
"""The actions that only rollbacks contain."""


def _from_data(value: Any) -> Any:
    if isinstance(value, dict) and value.get("action") in CLASSES:
        return CLASSES[value["action"]].model_validate(value)
    return value


AnyAction = Annotated[SerializeAsAny[Action], BeforeValidator(_from_data)]
"""A field of a pydantic model that holds any action."""
ACTIONS: TypeAdapter[tuple[AnyAction, ...]] = TypeAdapter(tuple[AnyAction, ...])
"""Reads and writes a list of actions as JSON."""

__all__ = ["ACTIONS", "CLASSES", "INTERNAL", "PUBLIC", "Action", "ActionName", "AnyAction", "build"]
