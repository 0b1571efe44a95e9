"""Every action is complete: one class under each name, with everything that the rest needs."""

import inspect
import json
from pathlib import Path

import pytest

from reme_api.actions import ActionName
from reme_api.policy import ActionRule
from reme_playbook import actions
from reme_playbook.actions.base import Action
from reme_playbook.actions.registry import ACTIONS, CLASSES, INTERNAL, PUBLIC, build
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.execution.grants import RUN_ROLES, grant_rules, run_roles
from reme_playbook.execution.render import render
from reme_playbook.policy.action_space import evaluate
from tests.unit.playbook.builders import Shop, everything


def test_each_name_has_exactly_one_public_action() -> None:
    classes = [action for action in CLASSES.values() if not action.INTERNAL]
    assert sorted(action.NAME for action in classes) == sorted(ActionName)
    assert list(PUBLIC) == list(ActionName)
    assert all(action.NAME is name for name, action in PUBLIC.items())


def test_an_internal_action_rolls_back_a_public_one() -> None:
    assert INTERNAL
    for action in INTERNAL:
        assert action.NAME in PUBLIC


@pytest.mark.parametrize("action", CLASSES.values())
def test_an_action_says_everything_about_itself(action: type[Action]) -> None:
    """What is abstract is implemented, and what documents and patterns need is there."""
    assert not inspect.isabstract(action)
    assert action.__doc__
    assert action.KINDS
    assert action.__name__ == action.model_fields["action"].default
    if action.INTERNAL:
        return
    assert action.BOUNDS
    assert action.RESTORES
    example = action.example()
    assert example.summary()
    assert example.task()
    assert example.choice(lambda text, limit: text[:limit])[0]
    assert list(evaluate(action.NAME, Shop().live(), everything())) is not None
    assert all(action.rule_bounds(ActionRule(name=action.NAME), Shop().live()))


@pytest.mark.parametrize("action", PUBLIC.values())
def test_what_runs_is_read_as_the_same_action_and_is_granted(action: type[Action]) -> None:
    example = action.example()
    assert compile_playbook(json.dumps(render([example]))) == (example,)
    assert build({"action": action.__name__, **dict(example)}) == example
    assert ACTIONS.validate_json(ACTIONS.dump_json((example,))) == (example,)
    assert grant_rules([example])
    assert example.roles() <= RUN_ROLES.keys()
    assert run_roles([example]) <= RUN_ROLES.keys()


def test_nothing_else_of_the_product_knows_the_actions_one_by_one() -> None:
    """A new action needs its own file: no ladder over all of them may come back."""
    root = Path(actions.__file__).parents[1]
    for file in (p for p in root.rglob("*.py") if p.parent.name != "actions"):
        text = file.read_text()
        named = {name for name in PUBLIC if f"{name}(" in text or f"import {name}" in text}
        assert len(named) <= 2, f"{file.relative_to(root)} names {sorted(named)}"
