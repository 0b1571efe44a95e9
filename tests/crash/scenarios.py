"""Scenarios: the faulty targets, the replies of the model, and the actions of users."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from reme_api.reasons import Outcome
from tests.crash import user_actions
from tests.crash.world import World
from tests.doubles.api_rules import Json
from tests.doubles.shop import (
    BAD,
    GOOD,
    NAMESPACE,
    file_report,
    open_shop,
    restart,
    rollback,
    scale,
)

MAY_BE_DEFEATED = {
    Outcome.FAILED,
    Outcome.ROLLED_BACK,
    Outcome.REJECTED,
    Outcome.UNVERIFIED,
    Outcome.ROLLBACK_FAILED,
    Outcome.TIMED_OUT,
}
"""Outcomes that faults may cause in any scenario, if they are true."""


@dataclass(frozen=True)
class Scenario:
    """One scenario; `ends` are the outcomes without faults.

    `meanwhile` is called once, on a change; `people` are actions of users.
    """

    ends: frozenset[Outcome]
    answers: tuple[Any, ...]
    reports: tuple[str, ...] = ("cart-down",)
    attempts: int = 1
    opens: Callable[[World], None] | None = None
    meanwhile: Callable[[World, str, Json], None] | None = None
    targets: tuple[str, ...] = ("cart",)
    people: Callable[[World], Awaitable[None]] | None = None
    policy: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    severities: tuple[str, ...] = ()
    log: str = ""  # a line of the log, as evidence of each report
    task_seconds: float = 0.6  # duration of a task of a playbook
    ends_with_stale_lists: frozenset[Outcome] = frozenset()  # also allowed when lists were stale
    ends_with_faults: frozenset[Outcome] = frozenset()  # also allowed under faults, if true


def prepare(world: World) -> None:
    """Create the objects of the scenario."""
    scenario = SCENARIOS[world.schedule.scenario]
    open_shop(world.api, maxAttempts=scenario.attempts, **scenario.policy)
    world.settings, world.model.others = scenario.settings, scenario.targets[1:]
    for extra in scenario.targets[1:]:
        if extra != "cart":
            _copy_cart(world, extra)
    if scenario.opens:
        scenario.opens(world)
    assert world.rollouts is not None
    world.rollouts.begin()
    world.nodes.task_seconds = scenario.task_seconds
    for target in scenario.targets:
        world.note_before(target)
    if scenario.meanwhile:
        action = scenario.meanwhile

        def once(what: str, obj: Json) -> None:
            if world.acted_at is None:
                action(world, what, obj)

        world.api.hooks.append(once)


def begin(world: World) -> None:
    """File the reports."""
    scenario = SCENARIOS[world.schedule.scenario]
    for number, name in enumerate(scenario.reports):
        target = scenario.targets[number % len(scenario.targets)]
        probe = {"name": "answers", "http": {"service": target, "port": 8080}}
        fault = {"type": "bad-rollout", "summary": "every request fails"}
        if scenario.severities:
            fault["severity"] = scenario.severities[number % len(scenario.severities)]
        about = {"kind": "Deployment", "name": target}
        evidence = [{"kind": "Log", "source": target, "text": scenario.log}]
        more = {"evidence": evidence} if scenario.log else {}
        file_report(world.api, name, target=about, probes=[probe], fault=fault, **more)


async def act(world: World) -> None:
    """Carry out the actions of users."""
    action = SCENARIOS[world.schedule.scenario].people
    if action is not None:
        await action(world)
    world.people.done = True


def _copy_cart(world: World, name: str) -> None:
    """Create a second faulty service like the first."""
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


def _call_outside(world: World) -> None:
    """Have the cart name a dependency outside of the cluster."""
    env = [{"name": "BANK_URL", "value": "https://bank.example.com/pay"}]
    template = {"spec": {"containers": [{"name": "cart", "image": BAD, "env": env}]}}
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
    """Degrade the neighbour as soon as a run has changed the target, for good."""
    if what == "MODIFIED deployments" and world.nodes.executions:
        world.acted_at = world.time()
        world.api.edit("deployments", NAMESPACE, "stock", {"status": {"availableReplicas": 0}})


def _suffers_for_a_time(world: World, what: str, obj: Json) -> None:
    """Degrade the neighbour while the target is not as it was."""
    _suffers(world, what, obj)
    if world.acted_at is not None:
        recovered = {"status": {"availableReplicas": 2}}
        asyncio.get_running_loop().call_later(
            25, world.api.edit, "deployments", NAMESPACE, "stock", recovered, context=Context()
        )


def _when_claimed(act: Callable[[World], None]) -> Callable[[World, str, Json], None]:
    def action(world: World, what: str, obj: Json) -> None:
        if what == "MODIFIED configmaps" and (obj.get("data") or {}).get("claim.json"):
            world.acted_at = world.time()
            act(world)

    return action


def _caller(world: World) -> None:
    """Put a healthy front there that calls the cart, whose pods are not ready."""
    not_ready = {"status": {"availableReplicas": 0, "readyReplicas": 0}}
    world.api.edit("deployments", NAMESPACE, "cart", not_ready)
    world.probes.callees = {"front": "cart"}
    labels, url = {"app": "front"}, {"name": "CART_URL", "value": "http://cart:8080/"}
    container = {"name": "front", "image": GOOD, "env": [url]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    world.api.put(
        "deployments",
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "front", "namespace": NAMESPACE, "labels": labels},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
            "status": {"replicas": 1, "availableReplicas": 1, "readyReplicas": 1},
        },
    )
    world.api.put(
        "services",
        {
            "metadata": {"name": "front", "namespace": NAMESPACE},
            "spec": {"selector": labels, "ports": [{"port": 8080, "targetPort": 8080}]},
        },
    )


def _cancel_first(world: World, what: str, obj: Json) -> None:
    """Cancel the remediation of the front once its report about the cart exists."""
    if what == "MODIFIED remediations" and (obj["status"].get("followUp") or {}).get("uid"):
        world.acted_at = world.time()
        name = obj["metadata"]["name"]
        world.api.edit("remediations", NAMESPACE, name, {"spec": {"cancel": True}})


def _cancel(world: World) -> None:
    for remediation in world.api.all("remediations"):
        name = remediation["metadata"]["name"]
        world.api.edit("remediations", NAMESPACE, name, {"spec": {"cancel": True}})


def _delete(world: World) -> None:
    for remediation in world.api.all("remediations"):
        world.api.remove("remediations", NAMESPACE, remediation["metadata"]["name"])


def _report_gone(world: World) -> None:
    for report in world.api.all("diagnosisreports"):
        world.api.remove("diagnosisreports", NAMESPACE, report["metadata"]["name"])


_APPROVE = {"mode": "Approve"}
_THINK = {"method": "ThinkRemed"}


def _set(*outcomes: Outcome) -> frozenset[Outcome]:
    return frozenset(outcomes)


SCENARIOS = {
    "verified": Scenario(_set(Outcome.VERIFIED), ([rollback()],)),
    "rolled-back": Scenario(_set(Outcome.ROLLED_BACK), ([scale(2)],)),
    "second-attempt": Scenario(_set(Outcome.VERIFIED), ([scale(2)], [rollback()]), attempts=2),
    "investigated": Scenario(
        _set(Outcome.VERIFIED), ([rollback()],), policy=_THINK | {"investigation": {"maxRounds": 2}}
    ),
    # Five seconds: after a crash the playbook is written from what is known.
    "investigated-briefly": Scenario(
        _set(Outcome.VERIFIED),
        ([scale(2)], [rollback()]),
        attempts=2,
        policy=_THINK | {"investigation": {"maxSeconds": 5, "maxInspections": 1}},
    ),
    # The front is reported, and the cart is repaired; one remediation acts at a time.
    "followed": Scenario(
        _set(Outcome.VERIFIED),
        ([rollback()],),
        ("front-down",),
        targets=("front", "cart"),
        opens=_caller,
        policy=_THINK | {"budgets": {"cooldownSeconds": 0, "maxConcurrent": 1}},
        ends_with_faults=_set(Outcome.ABSTAINED, Outcome.NO_ACTION_NEEDED),
    ),
    "followed-in-vain": Scenario(
        _set(Outcome.ABSTAINED, Outcome.ROLLED_BACK),
        ([scale(2)],),
        ("front-down",),
        targets=("front", "cart"),
        opens=_caller,
        policy=_THINK | {"budgets": {"cooldownSeconds": 0, "maxConcurrent": 1}},
    ),
    "follow-cancelled": Scenario(
        _set(Outcome.CANCELLED, Outcome.VERIFIED),
        ([rollback()],),
        ("front-down",),
        targets=("front", "cart"),
        opens=_caller,
        meanwhile=_cancel_first,
        policy=_THINK,
        ends_with_faults=_set(Outcome.ABSTAINED, Outcome.NO_ACTION_NEEDED),
    ),
    "investigated-and-abstained": Scenario(
        _set(Outcome.ABSTAINED),
        ([rollback()],),
        opens=_call_outside,
        policy=_THINK | {"investigation": {"maxSeconds": 600}},
        log="ERROR dependency failed: https://bank.example.com/pay: connection refused",
    ),
    "two-reports": Scenario(
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
        _set(Outcome.ROLLED_BACK),
        ([rollback()],),
        opens=_neighbour,
        meanwhile=_suffers_for_a_time,
        # A stale list may hide the neighbour's state until the window is over.
        ends_with_stale_lists=_set(Outcome.VERIFIED),
    ),
    "neighbour-lost": Scenario(
        _set(Outcome.ROLLBACK_FAILED),
        ([rollback()],),
        opens=_neighbour,
        meanwhile=_suffers,
        policy={"rollback": {"timeoutSeconds": 30}},
        ends_with_stale_lists=_set(Outcome.VERIFIED, Outcome.ROLLED_BACK),
    ),
    "approved": Scenario(
        _set(Outcome.VERIFIED), ([rollback()],), people=user_actions.approve, policy=_APPROVE
    ),
    "refused": Scenario(
        _set(Outcome.REJECTED), ([rollback()],), people=user_actions.reject, policy=_APPROVE
    ),
    "expired": Scenario(
        _set(Outcome.TIMED_OUT),
        ([rollback()],),
        people=user_actions.ignore_plans,
        policy=_APPROVE | {"approvalTimeoutSeconds": 20},
    ),
    "edited": Scenario(
        _set(Outcome.VERIFIED), ([scale(2)],), people=user_actions.edit, policy=_APPROVE
    ),
    "replanned": Scenario(
        _set(Outcome.ROLLED_BACK),
        ([scale(3)],),
        people=user_actions.approve_too_late,
        policy=_APPROVE | {"actions": [{"name": "Scale", "maxIncreasePercent": 300}]},
    ),
    "manual-rollback": Scenario(
        _set(Outcome.VERIFIED), ([rollback()],), people=user_actions.request_rollback
    ),
    "manual-rollback-over-change": Scenario(
        _set(Outcome.VERIFIED), ([rollback()],), people=user_actions.rollback_over_other_changes
    ),
    "manual-rollback-during-report": Scenario(
        _set(Outcome.VERIFIED, Outcome.NO_ACTION_NEEDED),
        ([rollback()],),
        people=user_actions.rollback_during_report,
    ),
    "aborted": Scenario(
        _set(Outcome.VERIFIED, Outcome.CANCELLED),
        ([rollback()],),
        people=user_actions.abort_runs,
        task_seconds=9,
    ),
    "aborted-rollback": Scenario(
        _set(Outcome.ROLLED_BACK, Outcome.CANCELLED, Outcome.ROLLBACK_FAILED),
        ([scale(2)],),
        people=user_actions.abort_runs,
    ),
    "drained": Scenario(
        _set(Outcome.ROLLED_BACK, Outcome.CANCELLED), ([scale(2)],), people=user_actions.drain_runs
    ),
    "suspended": Scenario(
        _set(Outcome.VERIFIED, Outcome.NO_ACTION_NEEDED),
        ([rollback()],),
        # The second one may have the target and the only slot while the first is on hold.
        ("cart-down", "cart-again"),
        people=user_actions.suspend,
        policy=_APPROVE | {"budgets": {"cooldownSeconds": 0, "maxConcurrent": 1}},
    ),
    "storm": Scenario(
        _set(Outcome.VERIFIED, Outcome.NO_ACTION_NEEDED),
        ([rollback()],),
        ("cart-a", "till-a", "store-a", "shelf-a", "cart-b", "till-b", "store-b"),
        targets=("cart", "till", "store", "shelf"),
        policy={"budgets": {"cooldownSeconds": 0, "maxConcurrent": 3, "maxPerHour": 7}},
        settings={"storm_threshold": 3, "storm_max_concurrent": 2},
        severities=("Low", "High", "Critical", "Medium"),
    ),
}
