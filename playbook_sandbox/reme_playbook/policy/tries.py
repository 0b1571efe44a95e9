"""Which playbooks would only repeat what an earlier attempt did without help.

A playbook is the same try as an earlier one if that one brought all that it brings. The words do
not count: a template is the same under any revision, any pod of a workload is as good as another,
and another number of replicas is more or less of the same.

A limit that is raised further is a new try only where what is measured asks for more: the container
was killed for memory with the higher limit too, or it uses nearly all of its cpu. Otherwise the
amount is not what is missing, and a third one would not help either.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reme_playbook.actions.effect import Effect, limit_key, parse_effect, template_effect
from reme_playbook.actions.registry import Action
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot.field_path import captured_value, dotted
from reme_playbook.snapshot.pod_template import digest
from reme_playbook.snapshot.quantity import cpu_millicores
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_OOM_KILLED = "OOMKilled"
_BUSY_PERCENT = 90


@dataclass(frozen=True)
class Try:
    """What an earlier attempt did."""

    number: int
    effects: tuple[str, ...]
    """Of its actions; empty in records of a version that did not write them."""
    summaries: tuple[str, ...] = ()
    killed_for_memory: frozenset[str] = frozenset()
    """The containers that were killed for memory before it was rolled back."""


def effects(actions: Sequence[Action], snapshot: ClusterSnapshot) -> tuple[str, ...]:
    """Return what each of the actions brings as a part of this playbook.

    Raises RejectedPlaybookError if a revision does not exist.
    """
    template = snapshot.template
    settings: list[tuple[str, str, object]] = []
    for action in actions:
        template = action.template_after(template, snapshot)
        if action.target.kind == "ConfigMap":
            settings += [
                (str(action.target), dotted(write.path), captured_value(write.value))
                for write in action.writes()
            ]
    pods = template_effect(digest(template), sorted(settings, key=str))
    return tuple(action.brings(snapshot, pods) for action in actions)


def untried(
    actions: Sequence[Action], snapshot: ClusterSnapshot, earlier: Sequence[Try]
) -> tuple[Action, ...]:
    """Return the actions that, each alone, would repeat nothing that did not help."""
    return tuple(
        action
        for action in actions
        if already_tried((action,), snapshot, earlier) is None
        and not _was_useless((action,), snapshot)
        and not _brings_abandoned(action, snapshot)
    )


def check_untried(
    actions: Sequence[Action], snapshot: ClusterSnapshot, earlier: Sequence[Try]
) -> None:
    """Return if the playbook would repeat nothing that did not help.

    Raises RejectedPlaybookError for what an earlier attempt or an earlier remediation did, and for
    a rollback to a revision that was abandoned as bad.
    """
    for action in actions:
        if _brings_abandoned(action, snapshot):
            raise RejectedPlaybookError(
                RejectionRule.ABANDONED,
                f"{action.target} was taken off this revision because it was bad: choose another "
                "action",
            )
    if _was_useless(actions, snapshot):
        raise RejectedPlaybookError(
            RejectionRule.ALREADY_TRIED,
            "an earlier remediation gave the pods the same template and did not help: choose "
            "another action",
        )
    if same := already_tried(actions, snapshot, earlier):
        raise RejectedPlaybookError(
            RejectionRule.ALREADY_TRIED,
            f"attempt {same.number} did the same and did not help: choose another action",
        )


def already_tried(
    actions: Sequence[Action], snapshot: ClusterSnapshot, earlier: Sequence[Try]
) -> Try | None:
    """Return the earlier attempt that brought all that this playbook brings."""
    if not earlier:
        return None
    new = [parse_effect(text) for text in effects(actions, snapshot)]
    summaries = {action.summary() for action in actions}
    return next((one for one in earlier if _repeats(new, summaries, one, snapshot)), None)


def _repeats(new: list[Effect], summaries: set[str], one: Try, snapshot: ClusterSnapshot) -> bool:
    if not all(one.effects):
        return summaries == set(one.summaries)
    too_low = {
        *_too_low_now(snapshot),
        *(limit_key(c, "memory_limit") for c in one.killed_for_memory),
    }
    old = [parse_effect(text) for text in one.effects]
    return bool(old) and all(any(_same(n, o, too_low) for o in old) for n in new)


def _same(new: Effect, old: Effect, too_low: set[str]) -> bool:
    """Return whether the old effect includes the new one; `too_low` are limits."""
    if new.identity == old.identity:
        return True
    return bool(new.raised) and all(
        key in old.raised and (amount <= old.raised[key] or key not in too_low)
        for key, amount in new.raised.items()
    )


def _was_useless(actions: Sequence[Action], snapshot: ClusterSnapshot) -> bool:
    """Return whether an earlier remediation only brought the same pods instead of the present."""
    now = digest(snapshot.template)
    useless = {one.after for one in snapshot.useless if one.before == now}
    if not useless:
        return False
    return {parse_effect(text).template for text in effects(actions, snapshot)} <= useless


def _brings_abandoned(action: Action, snapshot: ClusterSnapshot) -> bool:
    template = digest(action.template_after(snapshot.template, snapshot))
    return action.ROLLS_OUT and template in snapshot.abandoned


def _too_low_now(snapshot: ClusterSnapshot) -> Iterator[str]:
    """Yield the limits that the containers of the target run into now."""
    for pod in snapshot.pods:
        for state in pod.containers:
            if state.terminated == _OOM_KILLED:
                yield limit_key(state.name, "memory_limit")
    limits = {c.name: c.resources.cpu_limit for c in snapshot.containers}
    for (_, container), usage in snapshot.usage.items():
        limit = limits.get(container)
        if limit and usage.cpu_millicores * 100 >= cpu_millicores(limit) * _BUSY_PERCENT:
            yield limit_key(container, "cpu_limit")
