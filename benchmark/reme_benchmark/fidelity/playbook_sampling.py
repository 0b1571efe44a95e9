"""Draws the playbooks that are tried on a fault: good ones, plain ones and random ones. Pure."""

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from reme_api.policy import RemediationPolicySpec
from reme_benchmark.fidelity.records import Drawn
from reme_benchmark.methods.reme import policy
from reme_benchmark.scenarios.faults.model import Fault
from reme_benchmark.scenarios.faults.placeholders import FillError, fill
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.registry import Action
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.policy.action_space import allowed_actions
from reme_playbook.policy.validation import validate
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_MOST_GOOD = 2
_MOST_PLAIN = 2
_PLAIN = (Restart, Rollback, DeletePod)
_TRIES = 40


class Playbook(NamedTuple):
    """Actions to be tried, and why they were chosen."""

    drawn: Drawn
    actions: tuple[Action, ...]


def wide() -> RemediationPolicySpec:
    """Return the limits under which reme is measured: every action is allowed."""
    return RemediationPolicySpec.model_validate(policy("any")["spec"])


def draw(
    live: ClusterSnapshot, good: Iterable[tuple[Action, ...]], count: int, chance: random.Random
) -> list[Playbook]:
    """Return so many different admissible playbooks, or all that there are.

    The known good repairs and what everybody would try come first; the rest is drawn by the name
    of the action, so that one action with many values does not crowd out the others.
    """
    limits = wide()
    space = allowed_actions(live, limits)
    found: dict[tuple[Action, ...], Drawn] = {}
    for actions in good:
        if len(found) < min(_MOST_GOOD, count) and passes(actions, live, limits):
            found.setdefault(actions, Drawn.GOOD)
    plain = [(action,) for action in _one_of_each(space, chance)]
    chance.shuffle(plain)
    for one in plain[:_MOST_PLAIN]:
        if len(found) < count:
            found.setdefault(one, Drawn.PLAIN)
    for _ in range(_TRIES * count):
        if len(found) >= count or not space:
            break
        pair = len(found) % 4 == 3
        actions = tuple(_random(space, chance) for _ in range(2 if pair else 1))
        if len(set(actions)) == len(actions) and passes(actions, live, limits):
            found.setdefault(actions, Drawn.PAIR if pair else Drawn.RANDOM)
    return [Playbook(drawn, actions) for actions, drawn in found.items()]


def good_repairs(fault: Fault, values: dict[str, object]) -> Iterator[tuple[Action, ...]]:
    """Yield the known good repairs of a fault here, without those that need another target."""
    for repair in fault.repairs:
        try:
            tasks = fill(list(repair.playbook), values, fault.id)
            yield compile_playbook(json.dumps(tasks))
        except (FillError, RejectedPlaybookError):
            continue


def passes(
    actions: tuple[Action, ...], live: ClusterSnapshot, limits: RemediationPolicySpec
) -> bool:
    """Return whether the gate lets a playbook through."""
    try:
        validate(actions, limits, live)
    except RejectedPlaybookError:
        return False
    return True


def rebound(
    actions: tuple[Action, ...], then: ClusterSnapshot, now: ClusterSnapshot
) -> tuple[Action, ...]:
    """Return the actions with the pods of now in the place of those that were there then.

    A pod is told by its place in the order of names; one that has no counterpart is left as it is.
    """
    before, after = [p.name for p in then.pods], [p.name for p in now.pods]
    changed: list[Action] = []
    for action in actions:
        name = action.target.name
        if isinstance(action, DeletePod) and name in before and name not in after:
            place = before.index(name)
            if place < len(after):
                key = next(k for k in now.objects if k.kind == "Pod" and k.name == after[place])
                action = action.model_copy(update={"target": key})
        changed.append(action)
    return tuple(changed)


def shares(faults: Sequence[str], count: int) -> dict[str, int]:
    """Return how many trials each fault gets, so that there are so many in all."""
    each, more = divmod(count, len(faults)) if faults else (0, 0)
    return {name: each + (place < more) for place, name in enumerate(faults)}


def _one_of_each(space: Sequence[Action], chance: random.Random) -> Iterator[Action]:
    for kind in _PLAIN:
        fitting = [action for action in space if isinstance(action, kind)]
        if fitting:
            yield chance.choice(fitting)


def _random(space: Sequence[Action], chance: random.Random) -> Action:
    by_name: dict[str, list[Action]] = {}
    for action in space:
        by_name.setdefault(action.action, []).append(action)
    return chance.choice(by_name[chance.choice(sorted(by_name))])
