"""A grant allows what its actions do and nothing besides: any action, any deviation from it.

`admits` says what the fence says, in Python and independently of it; that the API server's own
expressions say the same is shown on a real cluster by tests/e2e/sandbox and tests/attack.
"""

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reme_api.run_grant import GrantRule, Verb
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.registry import Action
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from reme_playbook.actions.scale import Scale
from reme_playbook.execution.grants import grant_rules
from reme_playbook.snapshot.field_path import dotted
from tests.unit.playbook.strategies import internal, playbooks, public

RUN = "reme-0a1b2c3d-1"
GONE = object()
Change = tuple[str, Any]


def admits(rule: GrantRule, path: str, value: Any) -> bool:
    """Return whether a rule lets one field become a value; GONE is a field that goes away."""
    if value is not GONE:
        granted = rule.values.get(path, GONE)
        return type(granted) is type(value) and granted == value  # 0 is not False there
    named = path in rule.fields or f"{path}.value" in rule.fields
    return named and path not in rule.values and f"{path}.value" not in rule.values


def changes(action: Action) -> list[Change]:
    return [
        (dotted(write.path), GONE if write.value is None else write.value)
        for write in action.writes(RUN)
    ]


def rule_of(rules: Sequence[GrantRule], action: Action) -> GrantRule:
    resource = action.target.plural + ("/scale" if isinstance(action, Scale) else "")
    where = (action.target.group, resource, action.target.namespace, action.target.name)
    (result,) = [r for r in rules if (r.group, r.resource, r.namespace, r.name) == where]
    return result


@settings(max_examples=120, deadline=None)
@given(playbooks(public | internal))
def test_all_that_the_actions_do_is_granted(actions: tuple[Action, ...]) -> None:
    rules = grant_rules(actions, RUN)
    for action in actions:
        rule = rule_of(rules, action)
        verb = Verb.DELETE if isinstance(action, DeletePod) else Verb.UPDATE
        assert rule.verbs == [verb]
        for path, value in changes(action):
            field = path.removesuffix(".value") if value is GONE and "taints[" in path else path
            assert admits(rule, field, value), (path, value, rule)


@settings(max_examples=120, deadline=None)
@given(playbooks(public | internal), st.data())
def test_no_other_value_is_granted(actions: tuple[Action, ...], data: st.DataObject) -> None:
    rules = grant_rules(actions, RUN)
    for action in actions:
        rule = rule_of(rules, action)
        for path, value in changes(action):
            other = data.draw(st.integers(0, 10**6) | st.text(max_size=9) | st.booleans())
            if type(other) is not type(value) or other != value:
                assert not admits(rule, path, other), (path, other)
            if value is not GONE:
                assert not admits(rule, path, GONE), path


@settings(max_examples=120, deadline=None)
@given(playbooks(public | internal), playbooks(public | internal))
def test_no_other_action_is_granted(
    actions: tuple[Action, ...], others: tuple[Action, ...]
) -> None:
    """What a grant lets another playbook do is what the two have in common."""
    rules = grant_rules(actions, RUN)
    own = {(a.target, path): value for a in actions for path, value in changes(a)}
    for other in others:
        resource = other.target.plural + ("/scale" if isinstance(other, Scale) else "")
        same = [
            r
            for r in rules
            if (r.resource, r.namespace, r.name)
            == (resource, other.target.namespace, other.target.name)
        ]
        if not same:
            continue
        for path, value in changes(other):
            if admits(same[0], path, value):
                assert own[(other.target, path)] is value or own[(other.target, path)] == value


@settings(max_examples=80, deadline=None)
@given(playbooks(public | internal))
def test_every_value_belongs_to_a_field_that_is_granted(actions: tuple[Action, ...]) -> None:
    for rule in grant_rules(actions, RUN):
        assert GrantRule.model_validate(rule.wire()) == rule
        for path in rule.values:
            assert any(
                path == field or path.startswith((f"{field}.", f"{field}["))
                for field in rule.fields
            ), path
        if Verb.DELETE in rule.verbs:
            assert (rule.fields, rule.values) == ([], {})


@settings(max_examples=40, deadline=None)
@given(playbooks(public))
def test_a_restart_is_marked_with_its_run_and_a_rollback_needs_its_template(
    actions: tuple[Action, ...],
) -> None:
    for action in actions:
        rule = rule_of(grant_rules(actions, RUN), action)
        if isinstance(action, Restart):
            assert RUN in rule.values.values()
        if isinstance(action, Rollback):
            assert "spec.template" in rule.fields
            assert "spec.template" not in rule.values
