"""Samples the playbooks for a fault: known good, obvious and random ones. Pure."""

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from reme_api.policy import RemediationPolicySpec
from reme_benchmark.fidelity.records import Origin
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
_MOST_OBVIOUS = 2
_OBVIOUS = (Restart, Rollback, DeletePod)
_TRIES = 40


class Playbook(NamedTuple):
    """The actions of one trial, and where they come from."""

    origin: Origin
    actions: tuple[Action, ...]


def permissive_policy() -> RemediationPolicySpec:
    """Return the policy under which reme is measured: every action is allowed."""
    return RemediationPolicySpec.model_validate(policy("any")["spec"])


def sample_playbooks(
    snapshot: ClusterSnapshot, good: Iterable[tuple[Action, ...]], count: int, rng: random.Random
) -> list[Playbook]:
    """Return up to `count` different allowed playbooks.

    Known good repairs and obvious actions come first. The rest is sampled by the name of the
    action, so that an action with many possible values does not dominate.
    """
    limits = permissive_policy()
    space = allowed_actions(snapshot, limits, with_evidence=False)
    playbooks: dict[tuple[Action, ...], Origin] = {}
    for actions in good:
        if len(playbooks) < min(_MOST_GOOD, count) and is_allowed(actions, snapshot, limits):
            playbooks.setdefault(actions, Origin.GOOD)
    obvious = [(action,) for action in _one_of_each(space, rng)]
    rng.shuffle(obvious)
    for one in obvious[:_MOST_OBVIOUS]:
        if len(playbooks) < count:
            playbooks.setdefault(one, Origin.OBVIOUS)
    for _ in range(_TRIES * count):
        if len(playbooks) >= count or not space:
            break
        pair = len(playbooks) % 4 == 3
        actions = tuple(_sample_action(space, rng) for _ in range(2 if pair else 1))
        if len(set(actions)) == len(actions) and is_allowed(actions, snapshot, limits):
            playbooks.setdefault(actions, Origin.PAIR if pair else Origin.RANDOM)
    return [Playbook(origin, actions) for actions, origin in playbooks.items()]


def good_repairs(fault: Fault, values: dict[str, object]) -> Iterator[tuple[Action, ...]]:
    """Yield the known good repairs of a fault, without those that need another target."""
    for repair in fault.repairs:
        try:
            tasks = fill(list(repair.playbook), values, fault.id)
            yield compile_playbook(json.dumps(tasks))
        except (FillError, RejectedPlaybookError):
            continue


def is_allowed(
    actions: tuple[Action, ...], snapshot: ClusterSnapshot, limits: RemediationPolicySpec
) -> bool:
    """Return whether the policy allows a playbook."""
    try:
        validate(actions, limits, snapshot)
    except RejectedPlaybookError:
        return False
    return True


def rebind_pods(
    actions: tuple[Action, ...], then: ClusterSnapshot, now: ClusterSnapshot
) -> tuple[Action, ...]:
    """Return the actions with the current pods instead of the earlier ones.

    Pods are matched by their position in the order of names; one without a match stays.
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


def trials_per_fault(faults: Sequence[str], count: int) -> dict[str, int]:
    """Return the number of trials of each fault, `count` in all."""
    each, more = divmod(count, len(faults)) if faults else (0, 0)
    return {name: each + (place < more) for place, name in enumerate(faults)}


def _one_of_each(space: Sequence[Action], rng: random.Random) -> Iterator[Action]:
    for kind in _OBVIOUS:
        fitting = [action for action in space if isinstance(action, kind)]
        if fitting:
            yield rng.choice(fitting)


def _sample_action(space: Sequence[Action], rng: random.Random) -> Action:
    by_name: dict[str, list[Action]] = {}
    for action in space:
        by_name.setdefault(action.action, []).append(action)
    return rng.choice(by_name[rng.choice(sorted(by_name))])
