"""What the controllers of Deployments and their ReplicaSets do."""

from collections.abc import Mapping
from typing import Any

from reme_lab.simulator.pod_status import PodStatus
from reme_lab.simulator.revisions import template_of
from reme_lab.simulator.workload_pods import PodControl, int_or_percent, runs_template
from reme_lab.simulator.world import Pod, ReplicaSet
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.related_views import pods_of

Json = Mapping[str, Any]

_MOST_ROUNDS = 200


def deployment(work: PodControl) -> None:
    """Roll out and scale a Deployment as far as it gets."""
    spec = unstructured.mapping(work.found, "spec")
    template, wanted = template_of(work.found), unstructured.number(spec, "replicas", default=1)
    work.refresh()
    sets = _Sets(work, template)
    sets.fill()
    if spec.get("paused") is True:
        sets.scale_running(wanted)
    elif unstructured.text(spec, "strategy", "type") == "Recreate":
        sets.recreate(wanted)
    else:
        sets.roll(wanted, *steps(spec, wanted))
    work.refresh()
    sets.keep()


def steps(spec: Json, wanted: int) -> tuple[int, int]:
    """Return how many pods more and how many fewer a rollout of a Deployment may have."""
    rolling = unstructured.mapping(spec, "strategy", "rollingUpdate")
    surge = pods_of(int_or_percent(rolling.get("maxSurge", "25%")), wanted)
    share = int_or_percent(rolling.get("maxUnavailable", "25%"))
    fewer = pods_of(share, wanted, round_up=False)
    return (surge, fewer) if surge or fewer else (0, 1)


class _Sets:
    """The ReplicaSets of a Deployment while its controller works on them."""

    def __init__(self, work: PodControl, template: Json) -> None:
        self._work = work
        self._template = template
        self._sizes: list[list[Any]] = [
            list(one) for one in work.world.replica_sets.get(work.key, ())
        ]
        if not any(one[0] is template for one in self._sizes):
            self._sizes.append([template, 0])
        self._new = next(s for s in self._sizes if s[0] is template)

    def _old(self) -> list[list[Any]]:
        return [one for one in self._sizes if one is not self._new]

    def _pods(self, one: list[Any]) -> list[Pod]:
        return [pod for pod in self._work.own if runs_template(pod, one[0])]

    def fill(self) -> None:
        """Make the pods that are missing in each set, and take away what is too many."""
        refused = ""
        for one in self._sizes:
            pods = self._pods(one)
            while len(pods) > one[1]:
                gone = self._least(pods)
                pods.remove(gone)
                self._work.remove(gone)
            for _ in range(one[1] - len(pods)):
                if not self._work.create(one[0]):
                    refused = self._work.creation_error
                    break
        self._work.creation_error = refused

    def _least(self, pods: list[Pod]) -> Pod:
        """Return the pod that is missed least: unplaced, then not ready, then the youngest."""
        led = self._lives()
        order = [
            (bool(p.node), p.name in led and led[p.name].ready, -place)
            for place, p in enumerate(pods)
        ]
        return pods[order.index(min(order))]

    def _lives(self) -> dict[str, PodStatus]:
        work = self._work
        return {p.name: life for p, life in zip(work.own, work.pod_statuses(), strict=True)}

    def scale_running(self, wanted: int) -> None:
        """Scale a paused Deployment: what runs grows and shrinks, the newest first."""
        running = [one for one in self._sizes if one[1]] or [self._new]
        more = wanted - sum(one[1] for one in self._sizes)
        for one in reversed(running):
            step = max(-one[1], more)
            one[1] += step
            more -= step
            if not more:
                break
        self.fill()

    def recreate(self, wanted: int) -> None:
        """Take all old pods away, then make the new ones."""
        for one in self._old():
            one[1] = 0
        self.fill()
        self._new[1] = wanted
        self.fill()

    def roll(self, wanted: int, surge: int, fewer: int) -> None:
        """Roll out step by step, as the Deployment controller does, until nothing moves."""
        for _ in range(_MOST_ROUNDS):
            before = [one[1] for one in self._sizes]
            old = sum(one[1] for one in self._old())
            room = wanted + surge - old - self._new[1]
            self._new[1] = min(wanted, self._new[1] + max(0, room))
            if self._new[1] != before[self._sizes.index(self._new)]:
                self.fill()
                self._work.refresh()
            if old:
                self._shrink_old(wanted - fewer)
            if [one[1] for one in self._sizes] == before:
                return
            self.fill()
            self._work.refresh()

    def _shrink_old(self, least: int) -> None:
        led = self._lives()
        ready = [sum(led[p.name].ready for p in self._pods(one)) for one in self._sizes]
        new = self._sizes.index(self._new)
        most = sum(one[1] for one in self._sizes) - least - (self._new[1] - ready[new])
        if most <= 0:
            return
        left, spare = most, sum(ready) - least
        for place, one in enumerate(self._sizes):
            if place != new:
                step = min(one[1] - ready[place], left)  # those that do not work go first
                one[1] -= step
                left -= step
        for place, one in enumerate(self._sizes):
            if place != new and spare > 0:
                step = min(one[1], ready[place], spare)
                one[1] -= step
                spare -= step

    def keep(self) -> None:
        """Have the world remember the sets."""
        self._work.replica_sets = tuple(ReplicaSet(t, size) for t, size in self._sizes if size)
