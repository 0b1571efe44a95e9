"""Whether the quotas of the namespace have room for one more pod."""

from collections.abc import Mapping, Sequence
from typing import Any

from reme_lab.simulator.template_facts import template_facts
from reme_lab.simulator.world import Pod, World
from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.quantity import format_cpu, format_memory, quota_amount

Json = Mapping[str, Any]
Pods = Mapping[ObjectRef, Sequence[Pod]]


def quota_refusal(world: World, template: Json, pods: Pods, pod_name: str) -> str:
    """Return what the API server says when a quota forbids the pod; empty if none does."""
    for key, found in world.of_kind("ResourceQuota"):
        asked, used, limited = [], [], []
        for amount_key, text in sorted(unstructured.mapping(found, "spec", "hard").items()):
            hard = views.quota(amount_key, text)
            needs = amount_per_pod(amount_key, template)
            if hard is None or not needs:
                continue
            now = used_amount(world, amount_key, pods)
            if now + needs > quota_amount(amount_key, hard):
                asked.append(f"{amount_key}={format_amount(amount_key, needs)}")
                used.append(f"{amount_key}={format_amount(amount_key, now)}")
                limited.append(f"{amount_key}={hard}")
        if asked:
            return (
                f'pods "{pod_name}" is forbidden: exceeded quota: {key.name}, '
                f"requested: {','.join(asked)}, used: {','.join(used)}, "
                f"limited: {','.join(limited)}"
            )
    return ""


def amount_per_pod(key: str, template: Json) -> int:
    """Return what one pod of a template takes of an amount."""
    if key in ("pods", "count/pods"):
        return 1
    side, _, resource = key.rpartition(".")
    seen = template_facts(template)
    amounts = seen.limits if side == "limits" else seen.requests
    if resource == "cpu":
        return amounts.cpu
    return amounts.memory if resource == "memory" else 0


def used_amount(world: World, key: str, pods: Pods) -> int:
    """Return what all pods take of an amount."""
    return world.ground_truth.used_elsewhere.get(key, 0) + sum(
        amount_per_pod(key, pod.template) for found in pods.values() for pod in found
    )


def format_amount(key: str, amount: int) -> str:
    """Return an amount as the API server writes it."""
    if key.endswith("cpu"):
        return format_cpu(amount)
    return format_memory(amount) if key.endswith("memory") else str(amount)
