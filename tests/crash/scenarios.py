"""What there is to repair in each scenario, what the model says, and what people do meanwhile."""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reme_api.reasons import Outcome
from tests.crash.world import World
from tests.doubles.fake_api import Json
from tests.doubles.shop import GOOD, NAMESPACE, file_report, open_shop, restart, rollback, scale

MAY_BE_DEFEATED = {
    Outcome.FAILED,
    Outcome.ROLLED_BACK,
    Outcome.REJECTED,
    Outcome.UNVERIFIED,
    Outcome.ROLLBACK_FAILED,
    Outcome.TIMED_OUT,
}
"""What faults may make of any remediation, as long as it is the truth."""


@dataclass(frozen=True)
class Scenario:
    """One story; `ends` is how it ends when nothing goes wrong."""

    ends: frozenset[Outcome]
    answers: tuple[Any, ...]
    reports: tuple[str, ...] = ("cart-down",)
    attempts: int = 1
    opens: Callable[[World], None] | None = None
    meanwhile: Callable[[World, str, Json], None] | None = None
    targets: tuple[str, ...] = ("cart",)


def prepare(world: World) -> None:
    """Put everything there, and have people do what they do."""
    scenario = STORIES[world.schedule.scenario]
    open_shop(world.api, maxAttempts=scenario.attempts)
    for extra in scenario.targets[1:]:
        _copy_cart(world, extra)
    if scenario.opens:
        scenario.opens(world)
    world.before = {t: _spec(world, t) for t in scenario.targets}
    if scenario.meanwhile:
        does = scenario.meanwhile

        def once(what: str, obj: Json) -> None:
            if not world.acted:
                does(world, what, obj)

        world.api.hooks.append(once)


def begin(world: World) -> None:
    """File the reports."""
    scenario = STORIES[world.schedule.scenario]
    for number, name in enumerate(scenario.reports):
        target = scenario.targets[number % len(scenario.targets)]
        probe = {"name": "answers", "http": {"service": target, "port": 8080}}
        file_report(world.api, name, target={"kind": "Deployment", "name": target}, probes=[probe])


def _spec(world: World, name: str) -> Any:
    found = world.api.get("deployments", NAMESPACE, name)
    assert found is not None
    return copy.deepcopy(found["spec"])


def _copy_cart(world: World, name: str) -> None:
    """Put a second broken service beside the first."""
    api = world.api
    uid = ""
    for plural in ("deployments", "replicasets", "services"):
        for obj in api.all(plural, NAMESPACE):
            if not obj["metadata"]["name"].startswith("cart"):
                continue
            text = json.dumps(obj).replace('"cart', f'"{name}').replace(f'"{name}:', '"cart:')
            fresh = json.loads(text)
            for key in ("uid", "resourceVersion"):
                fresh["metadata"].pop(key)
            for owner in fresh["metadata"].get("ownerReferences", []):
                owner["uid"] = uid
            saved = api.put(plural, fresh)
            if plural == "deployments":
                uid = saved["metadata"]["uid"]


def _heal(world: World) -> None:
    template = {"spec": {"containers": [{"name": "cart", "image": GOOD}]}}
    world.api.edit("deployments", NAMESPACE, "cart", {"spec": {"template": template}})


def _neighbour(world: World) -> None:
    world.api.put(
        "deployments",
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "stock", "namespace": NAMESPACE},
            "spec": {"replicas": 2, "template": {"metadata": {"labels": {"app": "stock"}}}},
            "status": {"availableReplicas": 2},
        },
    )


def _suffers(world: World, what: str, obj: Json) -> None:
    """Make the neighbour worse as soon as a run has changed the target."""
    if what == "MODIFIED deployments" and world.nodes.executions:
        world.acted = True
        world.api.edit("deployments", NAMESPACE, "stock", {"status": {"availableReplicas": 0}})


def _when_claimed(act: Callable[[World], None]) -> Callable[[World, str, Json], None]:
    def does(world: World, what: str, obj: Json) -> None:
        if what == "MODIFIED configmaps" and (obj.get("data") or {}).get("claim.json"):
            world.acted = True
            act(world)

    return does


def _cancel(world: World) -> None:
    for found in world.api.all("remediations"):
        name = found["metadata"]["name"]
        world.api.edit("remediations", NAMESPACE, name, {"spec": {"cancel": True}})


def _delete(world: World) -> None:
    for found in world.api.all("remediations"):
        world.api.remove("remediations", NAMESPACE, found["metadata"]["name"])


def _report_gone(world: World) -> None:
    for found in world.api.all("diagnosisreports"):
        world.api.remove("diagnosisreports", NAMESPACE, found["metadata"]["name"])


def _set(*outcomes: Outcome) -> frozenset[Outcome]:
    return frozenset(outcomes)


STORIES = {
    "verified": Scenario(_set(Outcome.VERIFIED), ([rollback()],)),
    "undone": Scenario(_set(Outcome.ROLLED_BACK), ([scale(2)],)),
    "second": Scenario(_set(Outcome.VERIFIED), ([scale(2)], [rollback()]), attempts=2),
    "twins": Scenario(
        _set(Outcome.VERIFIED, Outcome.NO_ACTION_NEEDED), ([rollback()],), ("twin-a", "twin-b")
    ),
    "rejected": Scenario(_set(Outcome.REJECTED), ([{"ansible.builtin.shell": "id"}],)),
    "abstained": Scenario(_set(Outcome.ABSTAINED), ('{"abstain":"unclear"}',)),
    "healthy": Scenario(_set(Outcome.NO_ACTION_NEEDED), ([restart()],), opens=_heal),
    "cancelled": Scenario(
        _set(Outcome.CANCELLED, Outcome.VERIFIED),
        ([scale(2)],),
        meanwhile=_when_claimed(_cancel),
    ),
    "deleted": Scenario(frozenset(), ([scale(2)],), meanwhile=_when_claimed(_delete)),
    "report-gone": Scenario(
        _set(Outcome.CANCELLED), ([scale(2)],), meanwhile=_when_claimed(_report_gone)
    ),
    "two-targets": Scenario(
        _set(Outcome.ROLLED_BACK),
        ([scale(2)], [restart()]),
        ("cart-down", "till-down"),
        targets=("cart", "till"),
    ),
    "neighbour": Scenario(
        # A list that is behind hides what the neighbour is like, until the window is over.
        _set(Outcome.ROLLED_BACK, Outcome.VERIFIED),
        ([rollback()],),
        opens=_neighbour,
        meanwhile=_suffers,
    ),
}
