"""Faults of the test world that take more than a line."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from reme_lab.simulator import (
    AllowedDifference,
    BehaviourRule,
    EntryPoint,
    RecurringStress,
    Stress,
    World,
    is_one_of,
    rule,
    with_container_fields,
    with_field,
    with_ground_truth,
    with_object,
    with_pods_replaced,
    with_program,
    with_rules,
)
from reme_playbook.snapshot.field_path import Entry
from tests.unit.lab.simulator.worlds import (
    DB,
    cart,
    key,
    lab,
    meta,
)

CART = cart()


def env(name: str) -> tuple[Any, ...]:
    return ("env", Entry(name, "name"), "value")


def release(world: World, *changes: Any, recreate: bool = False) -> World:
    """Roll out a change of cart's container; with Recreate no old pod remains."""
    if recreate:
        world = with_field(world, CART, {"type": "Recreate"}, "spec", "strategy")
    return with_container_fields(world, CART, "server", *changes)


def released(*changes: Any, rules: Sequence[BehaviourRule] = (), recreate: bool = False) -> World:
    return release(with_rules(lab(), CART, *rules), *changes, recreate=recreate)


def first_pod(world: World) -> str:
    return world.pods[CART][0].name


FIRST = first_pod(lab())


def bad_image() -> World:
    world = with_ground_truth(lab(), missing_images=frozenset({"lab/cart:2"}))
    return release(world, (("image",), "lab/cart:2"))


def maintenance() -> World:
    world = with_rules(lab(), CART, rule(is_one_of("MODE", "maintenance"), unready=True))
    settings = key("ConfigMap", "cart-settings")
    return with_pods_replaced(with_field(world, settings, "maintenance", "data", "MODE"), CART)


def key_removed() -> World:
    world = with_rules(lab(), CART, rule(is_one_of("MODE", None), exit_code=1, log_line="MODE"))
    settings = key("ConfigMap", "cart-settings")
    return with_pods_replaced(with_field(world, settings, None, "data", "MODE"), CART)


def quota_exhausted() -> World:
    quota = {**meta("ResourceQuota", "team"), "spec": {"hard": {"pods": "3"}}}
    world = with_object(lab(), key("ResourceQuota", "team"), quota)
    return with_pods_replaced(world, CART)


def paused() -> World:
    bad = release(
        with_rules(lab(), CART, rule(is_one_of("FAIL", "yes"), error_percent=100)),
        (env("FAIL"), "yes"),
    )
    bad = with_field(bad, CART, True, "spec", "paused")
    return with_container_fields(bad, CART, "server", (("env", Entry("FAIL", "name")), None))


def cordoned() -> World:
    world = lab(nodes=1)
    world = with_field(world, key("Node", "n1"), True, "spec", "unschedulable")
    return with_pods_replaced(world, CART)


def tainted() -> World:
    taint = [{"key": "upkeep", "value": "yes", "effect": "NoSchedule"}]
    world = with_field(lab(nodes=1), key("Node", "n1"), taint, "spec", "taints")
    return with_pods_replaced(world, CART)


def wrong_node() -> World:
    world = with_field(lab(), CART, {"type": "Recreate"}, "spec", "strategy")
    return with_field(world, CART, {"disk": "fast"}, "spec", "template", "spec", "nodeSelector")


def kept_apart() -> World:
    term = {
        "labelSelector": {"matchLabels": {"app": "cart"}},
        "topologyKey": "kubernetes.io/os",
    }
    world = with_ground_truth(
        lab(replicas=1),
        allowed_differences=(AllowedDifference("Deployment", "cart", "spec.strategy"),),
    )
    required = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    where = ("spec", "template", "spec", "affinity")
    return with_field(world, CART, {"podAntiAffinity": required}, *where)


def port_taken() -> World:
    """Return one pod with a port of the only node, and a new one that waits for it."""
    world = with_ground_truth(
        lab(nodes=1, replicas=1),
        allowed_differences=(AllowedDifference("Deployment", "cart", "spec.strategy"),),
    )
    world = with_field(world, CART, {"type": "Recreate"}, "spec", "strategy")
    ports = [{"containerPort": 8080, "hostPort": 8080, "name": "http"}]
    world = release(world, (("ports",), ports))
    bounds = {"maxSurge": 1, "maxUnavailable": 0}
    strategy = {"type": "RollingUpdate", "rollingUpdate": bounds}
    world = with_field(world, CART, strategy, "spec", "strategy")
    return release(world, (env("VERSION"), "2"))


def denied() -> World:
    policy = {
        **meta("NetworkPolicy", "lockdown"),
        "spec": {"podSelector": {"matchLabels": {"app": "cart"}}, "policyTypes": ["Ingress"]},
    }
    return with_object(lab(), key("NetworkPolicy", "lockdown"), policy)


def lost_ingress() -> World:
    backend = {"service": {"name": "front-old", "port": {"number": 80}}}
    rules = [{"host": "lab.example", "http": {"paths": [{"path": "/", "backend": backend}]}}]
    ingress = {**meta("Ingress", "front"), "spec": {"rules": rules}}
    world = with_object(lab(), key("Ingress", "front"), ingress)
    return with_ground_truth(
        world, entry_points=(*world.ground_truth.entry_points, EntryPoint(ingress="front"))
    )


def suspended() -> World:
    job = {**meta("Job", "cart-seed"), "spec": {"suspend": True, "template": {}}}
    world = with_object(lab(), key("Job", "cart-seed"), job)
    wait = [{"name": "wait", "image": "lab/wait:1", "command": ["wait", "job/cart-seed"]}]
    return with_field(world, CART, wait, "spec", "template", "spec", "initContainers")


def autoscaled() -> World:
    spec = {
        "scaleTargetRef": {"kind": "Deployment", "name": "cart"},
        "minReplicas": 2,
        "maxReplicas": 2,
        "metrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"averageUtilization": 200}},
            }
        ],
    }
    scaler = {**meta("HorizontalPodAutoscaler", "cart"), "spec": spec}
    world = with_rules(lab(), CART, rule(is_one_of("WORK", "much"), cpu_millicores=900))
    world = with_object(world, key("HorizontalPodAutoscaler", "cart"), scaler)
    return release(world, (env("WORK"), "much"))


def guarded() -> World:
    budget = {
        **meta("PodDisruptionBudget", "cart"),
        "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "cart"}}},
    }
    tolerance = AllowedDifference("Deployment", "cart", "spec.replicas", 1, 2)
    world = with_ground_truth(lab(), allowed_differences=(tolerance,))
    return with_object(world, key("PodDisruptionBudget", "cart"), budget)


def upstream() -> World:
    world = with_rules(lab(), DB, rule(is_one_of("image", "lab/db:2"), error_percent=80))
    return with_container_fields(world, DB, "server", (("image",), "lab/db:2"))


def dying_disk() -> World:
    world = lab()
    program = world.program(CART)
    return with_program(
        world, CART, replace(program, recurring_stress=(RecurringStress(Stress(disk=True)),))
    )


def recurring_stress() -> World:
    world = lab()
    program = replace(
        world.program(CART),
        recurring_stress=(RecurringStress(Stress(cpu=True), (is_one_of("BATCH", "full"),)),),
    )
    return release(with_program(world, CART, program), (env("BATCH"), "full"))


def two_faults() -> World:
    world = released((env("FAIL"), "yes"), rules=[rule(is_one_of("FAIL", "yes"), error_percent=90)])
    return with_field(world, key("Service", "cart"), {"app": "cart-v2"}, "spec", "selector")


def renumbered() -> World:
    ports = [{"name": "http", "port": 8090, "targetPort": 8080}]
    return with_field(lab(), key("Service", "cart"), ports, "spec", "ports")
