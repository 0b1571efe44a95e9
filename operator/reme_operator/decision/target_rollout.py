"""Whether the rollout of a target has settled after a rollback, against its state before. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from reme_api.remediation import TargetState
from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.times import time_at

Json = Mapping[str, Any]


class RolloutCheck(NamedTuple):
    """What is missing; empty texts when nothing is."""

    unsettled: str = ""
    """Why the rollout has not settled."""
    worse: str = ""
    """In what the target is worse than before the run."""


def check_rollout(
    workload: Json, pods: Iterable[Json], before: TargetState | None, since: datetime
) -> RolloutCheck:
    """Return what keeps the target from being as it was before the run, which began at `since`.

    A target whose pods were not ready, or whose rollout was stuck, only has to be so far again.
    Without a state of before, the rollout has to have reached every pod.
    """
    now = views.replicas(workload)
    desired = now.desired
    updated = desired if before is None else min(before.updated, desired)
    available = 0 if before is None else min(before.available, desired)
    current = desired if before is None else max(before.current, desired)
    worse = ""
    if now.available < available and before is not None and not before.crashing:
        worse = (
            f"{now.available} of {desired} pods are available, {before.available} before the run"
        )
    return RolloutCheck(
        _not_seen(workload)
        or _terminating(pods, since)
        or _missing("are of the template of before", now.updated, updated)
        or _surplus(now.current, current)
        or _missing("are available", now.available, available),
        worse,
    )


def _not_seen(workload: Json) -> str:
    """Return whether the controller has not read the last change yet."""
    observed = unstructured.at(workload, "status", "observedGeneration")
    generation = unstructured.number(workload, "metadata", "generation")
    is_old = isinstance(observed, int) and observed < generation
    return "its controller has not seen the change yet" if is_old else ""


def _terminating(pods: Iterable[Json], since: datetime) -> str:
    times = (time_at(pod, "metadata", "deletionTimestamp") for pod in pods)
    first = since.replace(microsecond=0)  # the API server gives whole seconds
    count = sum(at is not None and at >= first for at in times)
    return f"{_pods(count)} still terminating" if count else ""


def _missing(what: str, number: int, expected: int) -> str:
    return f"{number} of {expected} pods {what}" if number < expected else ""


def _surplus(number: int, expected: int) -> str:
    return f"{number} pods instead of {expected}" if number > expected else ""


def _pods(count: int) -> str:
    return "1 pod is" if count == 1 else f"{count} pods are"
