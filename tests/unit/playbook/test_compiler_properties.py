import json
from typing import Any

import yaml
from hypothesis import example, given, settings

from reme_playbook.actions.registry import ACTIONS, Action
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.execution.render import render, tasks
from tests.unit.playbook.strategies import internal, nearly, playbooks, public


@settings(max_examples=400, deadline=None)
@given(nearly)
@example("? ? ? ?")
@example("%YAML " + "1" * 5000 + ".1\n---\n- a")
@example('- "\\UFFFFFFFF"')
@example('[{"k8s":{"kind":"Pod","name":"a","namespace":"b","state":"absent"}}]')
def test_any_text_compiles_or_is_rejected(text: str) -> None:
    try:
        actions = compile_playbook(text)
    except RejectedPlaybookError:
        return
    assert actions
    assert not any(action.INTERNAL for action in actions)


def forms(actions: tuple[Action, ...]) -> list[Any]:
    return [render(actions, run_id="reme-1-2"), tasks(actions)]


@settings(max_examples=150, deadline=None)
@given(playbooks(public))
def test_what_is_rendered_compiles_to_the_same_actions(actions: tuple[Action, ...]) -> None:
    for form in forms(actions):
        assert compile_playbook(json.dumps(form)) == actions
        assert compile_playbook(json.dumps(form, ensure_ascii=False)) == actions


@settings(max_examples=60, deadline=None)
@given(playbooks(public))
def test_the_same_holds_for_yaml(actions: tuple[Action, ...]) -> None:
    for form in forms(actions):
        assert compile_playbook(yaml.safe_dump(form, sort_keys=False)) == actions


@settings(max_examples=60, deadline=None)
@given(playbooks(public | internal))
def test_a_rollback_compiles_to_the_same_actions_where_it_is_allowed(
    actions: tuple[Action, ...],
) -> None:
    for form in forms(actions):
        assert compile_playbook(json.dumps(form), for_rollback=True) == actions


@settings(max_examples=60, deadline=None)
@given(playbooks(public | internal))
def test_actions_survive_as_json(actions: tuple[Action, ...]) -> None:
    assert ACTIONS.validate_json(ACTIONS.dump_json(actions)) == actions
    assert len({*actions}) == len(actions)
    assert all(0 < len(action.summary()) <= 1024 for action in actions)
