"""Too few pods, or no room for more: replicas, quotas, autoscalers, budgets."""

import copy
from collections.abc import Sequence

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import Clue, Hidden, Incident, Maker, Repair, wish
from reme_lab.incidents.faults.common import BACK, RESTART, SCALE
from reme_lab.incidents.rng import Draw
from reme_lab.incidents.system import Json, System
from reme_lab.simulator import AllowedDifference
from reme_playbook.actions.registry import Scale, SetAutoscaling, SetDisruptionBudget, SetQuota


def replicas_zero(draw: Draw, system: System) -> Incident:
    """It was scaled to nothing."""
    before = system.replicas
    if before == 1 and draw.chance(50):
        system.applied = False  # nobody knows how many there were, and one is a beginning
    else:
        remember_replicas(system)
    system.replicas, system.pods = 0, []
    return Incident(
        system,
        types=("replicas-zero", "scaled-to-zero", "no-replicas", "no-endpoints", "no-pods"),
        summaries=(
            "{name} [is at|has|was taken to] [zero|0] [pods|instances][; {before} are usual|].",
            "[Somebody|A script|A job] [shut|scaled] {name} down[ and forgot it|].",
        ),
        terse=("{name} [no pods|gone|zero instances]",),
        astray=(
            (
                "pod-fail",
                "[All pods|The pods] of {name} [crashed|died], [restart|bounce] [them|it].",
            ),
            ("network-policy", "{name} is [cut off|blocked]."),
            ("bad-rollout", "{name} vanished with its last [release|rollout]."),
        ),
        clues=(
            Clue("Metric", "prometheus", "kube_deployment_spec_replicas 0"),
            Clue("Text", "audit", "scale {name} [to|=] 0"),
        ),
        felt="refused",
        repairs=((wish(Scale, replicas=before),),),
        useless=(RESTART,),
        values={"before": before},
    )


def fewer_replicas(draw: Draw, system: System) -> Incident | None:
    """It has fewer replicas than before, and cannot keep up."""
    before = system.replicas
    if before < 2:
        return None
    remember_replicas(system)
    system.replicas = draw.number(1, before - 1)
    system.pods = system.pods[: system.replicas]
    for pod in system.pods:
        system.usage[pod.name] = (draw.number(92, 101), system.memory_percent)
    return Incident(
        system,
        types=("scaled-down", "too-few-replicas", "overload", "under-provisioned", "cpu-stress"),
        summaries=(
            (
                "{name} [is down to|runs with|has] {now} of {before} [instances|pods], [all "
                "busy|they are at their limit]."
            ),
            "{name} [was shrunk|was scaled down] and [queues|lags] now.",
        ),
        terse=("{name} [too few pods|overloaded]",),
        astray=(("runaway-process", "A [loop|process] burns the CPU of {name}."),),
        clues=(
            Clue("Text", "audit", "scale {name} {before} -> {now}"),
            Clue("Metric", "gateway", "[queue|in-flight] {queue}"),
        ),
        felt=draw.one(("", "slow")),
        repairs=((wish(Scale, replicas=before),),),
        useless=(RESTART,),
        hidden=Hidden(usual={"cpu_millicores": system.cpu * system.replicas * 108 // 100}),
        values={"before": before, "now": system.replicas, "queue": draw.number(50, 900)},
    )


def remember_replicas(system: System) -> None:
    """See to it that somewhere it is written how many there were."""
    if system.kind == "StatefulSet":
        system.applied = True
    system.original_replicas = system.replicas
    if not system.applied:
        # The ReplicaSet of an earlier revision tells how many there were.
        system.earlier = [(t, system.replicas) for t, _ in system.earlier] or [
            (_other_image(system), system.replicas)
        ]


def _other_image(system: System) -> Json:
    old = copy.deepcopy(system.template)
    main = old["spec"]["containers"][0]
    main["image"] = f"{main['image'].rpartition(':')[0]}:{names.tag(system.draw)}"
    return old


def quota_exhausted(draw: Draw, system: System) -> Incident:
    """A quota leaves no room for a pod that is missing."""
    name = draw.one(("team", "limits", "ns-quota", "budget", "compute", "cap", "fair-share"))
    lost = draw.number(1, max(1, system.replicas - 1))
    system.pods = system.pods[: system.replicas - lost]
    if draw.chance(75):
        used = len(system.pods) + sum(draw.number(1, 3) for _ in system.neighbours)
        resource, hard, taken = "pods", str(used), str(used)
        said = f"requested: pods=1, used: pods={taken}, limited: pods={hard}"
    else:
        amount = system.main["resources"]["requests"]["memory"]
        used = int(amount[:-2]) * draw.number(2, 9) + draw.number(0, int(amount[:-2]) - 1)
        resource, hard, taken = "requests.memory", f"{used + int(amount[:-2]) // 2}Mi", f"{used}Mi"
        said = (
            f"requested: {resource}={amount}, used: {resource}={taken}, limited: {resource}={hard}"
        )
    key = system.other("ResourceQuota", name)
    system.around[key] = {
        "metadata": {"name": name, "namespace": system.namespace},
        "spec": {"hard": {resource: hard}},
        "status": {"hard": {resource: hard}, "used": {resource: taken}},
    }
    missing = f"{system.name}-{system.hash}-{names.pod_suffix(draw)}"
    system.event(
        "FailedCreate",
        f'Error creating: pods "{missing}" is forbidden: exceeded quota: {name}, {said}',
        draw.number(1, 20),
    )
    return Incident(
        system,
        types=(
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
        terse=("{name} [pods missing|cannot create pods|quota]",),
        astray=(
            (
                "node-pressure",
                "{name} lost a pod; [the node|its node] [is full|ran out of memory].",
            ),
            ("pod-fail", "A pod of {name} [died|is dead]."),
            ("image-pull-error", "A pod of {name} has no image."),
        ),
        clues=(
            Clue("Event", "ReplicaSet", "FailedCreate: exceeded quota {quota}"),
            Clue("Metric", "prometheus", "kube_resourcequota used/hard 1.0"),
        ),
        felt="" if system.pods else "refused",
        repairs=((wish(SetQuota, name),),),
        useless=(RESTART, SCALE, BACK),
        values={"lost": lost, "quota": name},
    )


def hpa_too_low(draw: Draw, system: System) -> Incident | None:
    """An autoscaler wants more replicas than it may have."""
    if system.kind != "Deployment":
        return None
    most = draw.parameter((1, 2, 3, 4, 6, 8, 5))
    system.replicas = system.original_replicas = most
    system.pods = [system.pod() for _ in range(most)]
    for pod in system.pods:
        system.usage[pod.name] = (draw.number(92, 102), system.memory_percent)
    name = (
        system.name if draw.chance(60) else f"{system.name}-{draw.one(('hpa', 'scaler', 'auto'))}"
    )
    key = system.other("HorizontalPodAutoscaler", name)
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": system.name},
        "minReplicas": 1,
        "maxReplicas": most,
    }
    limited = {"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas"}
    system.around[key] = {
        "metadata": {"name": name, "namespace": system.namespace},
        "spec": spec,
        "status": {"conditions": [limited], "currentReplicas": most},
    }
    if draw.chance(40):
        system.roll(
            lambda _, __: system.set_env(system.main["env"][0]["name"], str(draw.number(100, 900)))
        )
        system.pods = [system.pod() for _ in range(most)]
        for pod in system.pods:
            system.usage[pod.name] = (draw.number(92, 102), system.memory_percent)
    return Incident(
        system,
        types=(
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
        terse=("{name} [timeouts, cpu at the limit|hpa maxed out|cannot scale]",),
        astray=(
            (
                "network-loss",
                "[Requests|Calls] to {name} get lost [on the way|before they arrive].",
            ),
            ("runaway-process", "{name} [spins|loops], [kill|restart] it."),
            ("cpu-throttling", "{name} has too low a CPU limit."),
        ),
        clues=(
            Clue(
                "Event", "HorizontalPodAutoscaler/{hpa}", "[ScalingLimited|TooManyReplicas]: {most}"
            ),
            Clue("Metric", "gateway", "[queue length|in-flight] {queue}"),
        ),
        felt=draw.one(("slow", "silent")),
        repairs=(
            (wish(SetAutoscaling, name, max_replicas=min(most * 2, 10)),),
            (wish(SetAutoscaling, name),),
        ),
        useless=(RESTART, SCALE),
        hidden=Hidden(usual={"cpu_millicores": system.cpu * most * 125 // 100}),
        values={"most": most, "hpa": name, "queue": draw.number(100, 2000)},
    )


def pdb_blocks(draw: Draw, system: System) -> Incident:
    """A disruption budget lets no pod go."""
    name = system.name if draw.chance(50) else f"{system.name}-pdb"
    bound: Json = draw.one(
        ({"minAvailable": system.replicas}, {"minAvailable": "100%"}, {"maxUnavailable": 0})
    )
    if bound == {"minAvailable": "100%"} or "maxUnavailable" in bound:
        # One more replica would not help here: the budget itself has to give.
        repairs: Sequence[Repair] = ((wish(SetDisruptionBudget, name),),)
    else:
        repairs = ((wish(Scale, replicas=system.replicas + 1),), (wish(SetDisruptionBudget, name),))
    system.around[system.other("PodDisruptionBudget", name)] = {
        "metadata": {"name": name, "namespace": system.namespace},
        "spec": {**bound, "selector": {"matchLabels": {"app": system.name}}},
        "status": {"disruptionsAllowed": 0},
    }
    return Incident(
        system,
        types=(
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
        terse=("{name} [not evictable|blocks the drain|eviction denied]",),
        astray=(
            ("hang", "{name} does not [end|stop|terminate]."),
            ("pod-fail", "A pod of {name} [refuses to go|is stuck]."),
        ),
        clues=(
            Clue(
                "Log", "drain", "Cannot evict pod as it would violate the pod's disruption budget"
            ),
            Clue("Metric", "prometheus", "disruptions allowed 0 for {pdb}"),
        ),
        repairs=repairs,
        useless=(RESTART, BACK),
        hidden=Hidden(
            may_differ=(AllowedDifference(system.kind, system.name, "spec.replicas", 1, 2),)
        ),
        values={"pdb": name},
        spare_replica=bound == {"minAvailable": system.replicas} and draw.chance(60),
    )


FAULTS: dict[str, Maker] = {
    "replicas-zero": replicas_zero,
    "fewer-replicas": fewer_replicas,
    "quota-exhausted": quota_exhausted,
    "hpa-too-low": hpa_too_low,
    "pdb-blocks": pdb_blocks,
}
