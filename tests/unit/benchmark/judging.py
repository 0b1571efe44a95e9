"""A case to be judged in which the effect of the fault is scripted."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from reme_benchmark.scenarios.faults.model import Check, Fault
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.container_usage import Growth
from reme_benchmark.scoring.records import Measured, Verdict
from reme_benchmark.scoring.snapshot import take_snapshot
from reme_benchmark.scoring.strict import judge, judge_control
from reme_benchmark.scoring.tamper_check import TamperCheck
from tests.doubles.bench_cluster import (
    NAMESPACE,
    FakeCluster,
    FakeLoadGenerator,
    Object,
    QuickClock,
)
from tests.doubles.bench_shop import context, fault, shop

HOME = f"{NAMESPACE}-users"
FAULT = fault(
    {"rollout": {}}, may_differ=[{"path": "spec.replicas", "min_factor": 1, "max_factor": 2}]
)


@dataclass
class Scene:
    """A case whose effect is scripted: it is gone when `gone` says so."""

    context: CaseContext
    cluster: FakeCluster
    users: FakeLoadGenerator
    clock: QuickClock
    tamper_check: TamperCheck
    gone: bool | None = True
    measurements: list[float] = field(default_factory=list)

    async def measure(self, check: Check, context: CaseContext, growth: Growth) -> Measured:
        self.measurements.append(self.clock.seconds)
        return Measured(name="rollout cart", ok=self.gone, message="" if self.gone else "broken")

    async def judge(self) -> Verdict:
        return await judge(self.context, self.tamper_check, clock=self.clock, measure=self.measure)

    async def judge_control(self) -> Verdict:
        return await judge_control(
            self.context, self.tamper_check, clock=self.clock, measure=self.measure
        )

    def set_gone(self, gone: bool | None) -> Callable[[], None]:
        return lambda: setattr(self, "gone", gone)

    def cart(self) -> Object:
        return self.cluster.at("Deployment", "cart")

    def container(self) -> Object:
        first: Object = self.cart()["spec"]["template"]["spec"]["containers"][0]
        return first


async def make_scene(of: Fault | None = FAULT, **case: Any) -> Scene:
    cluster, clock = shop(), QuickClock()
    before = await take_snapshot(cluster, NAMESPACE)  # type: ignore[arg-type]
    made = context(cluster, before, of, clock=clock, **case)
    users: Any = made.users
    return Scene(made, cluster, users, clock, await TamperCheck.record(made))


def reasons(verdict: Verdict) -> str:
    assert verdict.passed is not bool(verdict.reasons)
    return " | ".join(verdict.reasons)


def scale_to_zero(scene: Scene) -> None:
    scene.cart()["spec"]["replicas"] = 0
    scene.cart()["status"] = {"observedGeneration": 1}


def loosen_the_probe(scene: Scene) -> None:
    del scene.container()["readinessProbe"]


def delete_the_injector(scene: Scene) -> None:
    scene.cluster.drop("DaemonSet", "fault-agent", "reme-faults")


def replace_a_pod(cluster: FakeCluster, number: int) -> None:
    name = "cart-1-0" if number == 0 else f"cart-r{number}"
    old = copy.deepcopy(cluster.at("Pod", name))
    cluster.drop("Pod", name)
    old["metadata"] |= {"name": f"cart-r{number + 1}", "uid": f"r{number + 1}"}
    cluster.put(old)
