"""Quotas, autoscalers and disruption budgets that are too tight."""

from collections.abc import Sequence

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import (
    BrokenSystem,
    EvidenceText,
    FaultEffects,
    FaultMaker,
    Repair,
    expect,
)
from reme_lab.incidents.faults.common import RESTART, ROLL_BACK, SCALE
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import Json, System
from reme_lab.simulator import AllowedDifference
from reme_playbook.actions.autoscaling import SetAutoscaling
from reme_playbook.actions.disruption_budget import SetDisruptionBudget
from reme_playbook.actions.quota import SetQuota
from reme_playbook.actions.scale import Scale


def quota_exhausted(rng: Rng, system: System) -> BrokenSystem:
    """A quota prevents the creation of a missing pod."""
    name = rng.choice(("team", "limits", "ns-quota", "budget", "compute", "cap", "fair-share"))
    lost = rng.integer(1, max(1, system.replicas - 1))
    system.pods = system.pods[: system.replicas - lost]
    if rng.chance(75):
        used = len(system.pods) + sum(rng.integer(1, 3) for _ in system.neighbours)
        resource, hard, in_use = "pods", str(used), str(used)
        details = f"requested: pods=1, used: pods={in_use}, limited: pods={hard}"
    else:
        amount = system.main_container["resources"]["requests"]["memory"]
        used = int(amount[:-2]) * rng.integer(2, 9) + rng.integer(0, int(amount[:-2]) - 1)
        resource, hard, in_use = "requests.memory", f"{used + int(amount[:-2]) // 2}Mi", f"{used}Mi"
        details = (
            f"requested: {resource}={amount}, used: {resource}={in_use}, limited: {resource}={hard}"
        )
    key = system.object_ref("ResourceQuota", name)
    system.related_objects[key] = {
        "metadata": {"name": name, "namespace": system.namespace},
        "spec": {"hard": {resource: hard}},
        "status": {"hard": {resource: hard}, "used": {resource: in_use}},
    }
    missing = f"{system.name}-{system.hash}-{names.pod_suffix(rng)}"
    system.add_event(
        "FailedCreate",
        f'Error creating: pods "{missing}" is forbidden: exceeded quota: {name}, {details}',
        rng.integer(1, 20),
    )
    return BrokenSystem(
        system,
        fault_types=(
            "quota-exhausted",
            "quota-exceeded",
            "resource-quota",
            "failed-create",
            "namespace-full",
        ),
        summaries=(
            (
                "{name} [lacks|is short of] {lost} [pods|pod]: quota {quota} [is used "
                "up|leaves no room]."
            ),
            "[No new pod|Nothing new] [can be created|is admitted] in {ns}[: {quota} is full|].",
        ),
        terse_summaries=("{name} [pods missing|cannot create pods|quota]",),
        wrong_diagnoses=(
            (
                "node-pressure",
                "{name} lost a pod; [the node|its node] [is full|ran out of memory].",
            ),
            ("pod-fail", "A pod of {name} [died|is dead]."),
            ("image-pull-error", "A pod of {name} has no image."),
        ),
        evidence=(
            EvidenceText("Event", "ReplicaSet", "FailedCreate: exceeded quota {quota}"),
            EvidenceText("Metric", "prometheus", "kube_resourcequota used/hard 1.0"),
        ),
        user_impact="" if system.pods else "refused",
        repairs=((expect(SetQuota, name),),),
        useless_repairs=(RESTART, SCALE, ROLL_BACK),
        text_values={"lost": lost, "quota": name},
    )


def hpa_too_low(rng: Rng, system: System) -> BrokenSystem | None:
    """An autoscaler wants more replicas than its maximum."""
    if system.kind != "Deployment":
        return None
    max_replicas = rng.parameter((1, 2, 3, 4, 6, 8, 5))
    system.replicas = system.original_replicas = max_replicas
    system.pods = [system.new_pod() for _ in range(max_replicas)]
    for pod in system.pods:
        system.usage[pod.name] = (rng.integer(92, 102), system.memory_percent)
    name = (
        system.name if rng.chance(60) else f"{system.name}-{rng.choice(('hpa', 'scaler', 'auto'))}"
    )
    key = system.object_ref("HorizontalPodAutoscaler", name)
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": system.name},
        "minReplicas": 1,
        "maxReplicas": max_replicas,
    }
    limited = {"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas"}
    system.related_objects[key] = {
        "metadata": {"name": name, "namespace": system.namespace},
        "spec": spec,
        "status": {"conditions": [limited], "currentReplicas": max_replicas},
    }
    if rng.chance(40):
        system.roll_out(
            lambda _, __: system.set_env(
                system.main_container["env"][0]["name"], str(rng.integer(100, 900))
            )
        )
        system.pods = [system.new_pod() for _ in range(max_replicas)]
        for pod in system.pods:
            system.usage[pod.name] = (rng.integer(92, 102), system.memory_percent)
    return BrokenSystem(
        system,
        fault_types=(
            "hpa-too-low",
            "autoscaler-limited",
            "scaling-limited",
            "max-replicas",
            "overload",
            "hpa-maxed-out",
        ),
        summaries=(
            (
                "The autoscaler of {name} [is at its cap|cannot go|may not go] [of|beyond] "
                "{most}[, though it wants to|], [users wait|requests pile up]."
            ),
            (
                "{name} [drowns|is swamped]: [{most} pods are all it may have|ScalingLimited "
                "at {most}]."
            ),
        ),
        terse_summaries=("{name} [timeouts, cpu at the limit|hpa maxed out|cannot scale]",),
        wrong_diagnoses=(
            (
                "network-loss",
                "[Requests|Calls] to {name} get lost [on the way|before they arrive].",
            ),
            ("runaway-process", "{name} [spins|loops], [kill|restart] it."),
            ("cpu-throttling", "{name} has too low a CPU limit."),
        ),
        evidence=(
            EvidenceText(
                "Event", "HorizontalPodAutoscaler/{hpa}", "[ScalingLimited|TooManyReplicas]: {most}"
            ),
            EvidenceText("Metric", "gateway", "[queue length|in-flight] {queue}"),
        ),
        user_impact=rng.choice(("slow", "silent")),
        repairs=(
            (expect(SetAutoscaling, name, max_replicas=min(max_replicas * 2, 10)),),
            (expect(SetAutoscaling, name),),
        ),
        useless_repairs=(RESTART, SCALE),
        effects=FaultEffects(
            default_behaviour={"cpu_millicores": system.cpu * max_replicas * 125 // 100}
        ),
        text_values={"most": max_replicas, "hpa": name, "queue": rng.integer(100, 2000)},
    )


def pdb_blocks(rng: Rng, system: System) -> BrokenSystem:
    """A PodDisruptionBudget allows no eviction."""
    name = system.name if rng.chance(50) else f"{system.name}-pdb"
    bound: Json = rng.choice(
        ({"minAvailable": system.replicas}, {"minAvailable": "100%"}, {"maxUnavailable": 0})
    )
    if bound == {"minAvailable": "100%"} or "maxUnavailable" in bound:
        # Another replica would not help: the budget itself must change.
        repairs: Sequence[Repair] = ((expect(SetDisruptionBudget, name),),)
    else:
        repairs = (
            (expect(Scale, replicas=system.replicas + 1),),
            (expect(SetDisruptionBudget, name),),
        )
    system.related_objects[system.object_ref("PodDisruptionBudget", name)] = {
        "metadata": {"name": name, "namespace": system.namespace},
        "spec": {**bound, "selector": {"matchLabels": {"app": system.name}}},
        "status": {"disruptionsAllowed": 0},
    }
    return BrokenSystem(
        system,
        fault_types=(
            "pdb-blocks",
            "eviction-blocked",
            "drain-blocked",
            "budget-too-tight",
            "drain-stuck",
        ),
        summaries=(
            (
                "[The drain|Draining|Maintenance] of a node [hangs|waits], [{name} may not "
                "be evicted|the budget of {name} lets nothing go]."
            ),
            "PodDisruptionBudget {pdb} [allows|permits] [0|no] [evictions|disruptions].",
        ),
        terse_summaries=("{name} [not evictable|blocks the drain|eviction denied]",),
        wrong_diagnoses=(
            ("hang", "{name} does not [end|stop|terminate]."),
            ("pod-fail", "A pod of {name} [refuses to go|is stuck]."),
        ),
        evidence=(
            EvidenceText(
                "Log", "drain", "Cannot evict pod as it would violate the pod's disruption budget"
            ),
            EvidenceText("Metric", "prometheus", "disruptions allowed 0 for {pdb}"),
        ),
        repairs=repairs,
        useless_repairs=(RESTART, ROLL_BACK),
        effects=FaultEffects(
            allowed_differences=(
                AllowedDifference(system.kind, system.name, "spec.replicas", 1, 2),
            )
        ),
        text_values={"pdb": name},
        expects_spare_replica=bound == {"minAvailable": system.replicas} and rng.chance(60),
    )


FAULTS: dict[str, FaultMaker] = {
    "quota-exhausted": quota_exhausted,
    "hpa-too-low": hpa_too_low,
    "pdb-blocks": pdb_blocks,
}
