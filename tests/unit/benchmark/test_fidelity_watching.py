"""The verdict on a playbook in the real world, with a fake cluster and fake probes."""

import itertools
from collections.abc import Callable
from typing import Any, cast

from reme_api.diagnosis_report import Target, TargetKind
from reme_api.probes import HttpProbe, Probe
from reme_benchmark.fidelity.records import Real
from reme_benchmark.fidelity.trial import time_limits
from reme_benchmark.fidelity.verdict import Verifier
from reme_benchmark.scenarios.faults import catalog
from reme_kube.cluster import ApiCluster
from reme_operator.probes.prober import ServiceProber
from reme_operator.probes.sample import Sample
from reme_playbook.actions.config_value import SetConfigValue
from reme_playbook.actions.restart import Restart
from reme_playbook.snapshot.object_ref import ObjectRef

TARGET = Target(kind=TargetKind.DEPLOYMENT, name="cart")
PROBE = Probe(name="answers", http=HttpProbe(service="cart", port=80))


class Played:
    """One target with one pod and one neighbour, in the place of cluster and prober."""

    def __init__(
        self,
        answers: Callable[[int], bool],
        neighbour: Callable[[int], int] = lambda _: 1,
        waiting: Callable[[int], str] = lambda _: "",
    ) -> None:
        self._answers, self._neighbour, self._waiting = answers, neighbour, waiting
        self._sample_numbers, self._list_numbers, self._read_numbers = (
            itertools.count() for _ in range(3)
        )
        self.rounds = 0

    async def sample(self, *_: Any) -> Sample:
        self.rounds += 1
        return Sample(self._answers(next(self._sample_numbers)), "", "")

    async def workloads(self, _: str) -> list[Any]:
        available = {"cart": 1, "shop": self._neighbour(next(self._list_numbers))}
        return [
            {
                "kind": "Deployment",
                "metadata": {"name": name},
                "spec": {"replicas": 1},
                "status": {"availableReplicas": count},
            }
            for name, count in available.items()
        ]

    async def workload(self, *_: Any) -> Any:
        return {"status": {"replicas": 1}}

    async def pods(self, _: Any) -> list[Any]:
        reason = self._waiting(next(self._read_numbers))
        state = {"waiting": {"reason": reason}} if reason else {"running": {}}
        status = {"containerStatuses": [{"ready": not reason, "state": state}]}
        return [{"metadata": {"name": "cart-1"}, "status": status}]


async def verdict(played: Played, *, quiet: float = 0.02, deadline: float = 1) -> Real:
    verifier = Verifier(
        cast("ApiCluster", played),
        cast("ServiceProber", played),
        "lab",
        TARGET,
        (PROBE,),
        period_seconds=0.005,
    )
    return await verifier.verdict(
        await verifier.neighbours(),
        window_seconds=0.02,
        deadline_seconds=deadline,
        quiet_seconds=quiet,
    )


async def test_what_holds_over_the_window_is_verified() -> None:
    real = await verdict(Played(lambda n: n > 3), quiet=30, deadline=60)
    assert (real.verified, real.harmed, real.failing) == (True, (), ())


async def test_what_fails_and_does_not_move_is_settled_before_the_deadline() -> None:
    played = Played(lambda _: False)
    real = await verdict(played, deadline=60)
    assert not real.verified
    assert real.failing == ("answers",)
    assert "settled" in real.message


async def test_what_still_moves_is_waited_for() -> None:
    # It changes its mind all the time, and answers at last.
    reasons = ("ErrImagePull", "CreateContainerConfigError")
    played = Played(lambda n: n > 20, waiting=lambda n: reasons[n % 2] if n < 20 else "")
    assert (await verdict(played, quiet=0.03, deadline=60)).verified


async def test_a_neighbour_that_is_less_available_is_harm() -> None:
    played = Played(lambda _: True, neighbour=lambda n: 1 if n == 0 else 0)
    real = await verdict(played, deadline=60)
    assert not real.verified
    assert real.harmed == ("Deployment/shop",)


def test_what_only_a_kubelet_notices_is_waited_for_to_the_end() -> None:
    key = ObjectRef("Deployment", "lab", "cart")
    config = SetConfigValue(target=ObjectRef("ConfigMap", "lab", "c"), key="A", value="b")
    fault = catalog.fault("config-key-removed")
    assert time_limits(fault, (Restart(target=key),)) == (45, 7)
    assert time_limits(fault, (config,)) == (100, 100)
    assert time_limits(catalog.fault("cpu-stress"), (Restart(target=key),)) == (75, 35)
