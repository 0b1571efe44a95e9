"""Too few pods: replicas, quotas, autoscalers, disruption budgets."""

import copy

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import (
    BrokenSystem,
    EvidenceText,
    FaultEffects,
    FaultMaker,
    expect,
)
from reme_lab.incidents.faults.common import RESTART
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import Json, System
from reme_playbook.actions.scale import Scale


def replicas_zero(rng: Rng, system: System) -> BrokenSystem:
    """The workload was scaled to zero."""
    before = system.replicas
    if before == 1 and rng.chance(50):
        system.has_last_applied = False  # the former number is unknown, and one replica is a start
    else:
        remember_replicas(system)
    system.replicas, system.pods = 0, []
    return BrokenSystem(
        system,
        fault_types=("replicas-zero", "scaled-to-zero", "no-replicas", "no-endpoints", "no-pods"),
        summaries=(
            "{name} [is at|has|was taken to] [zero|0] [pods|instances][; {before} are usual|].",
            "[Somebody|A script|A job] [shut|scaled] {name} down[ and forgot it|].",
        ),
        terse_summaries=("{name} [no pods|gone|zero instances]",),
        wrong_diagnoses=(
            (
                "pod-fail",
                "[All pods|The pods] of {name} [crashed|died], [restart|bounce] [them|it].",
            ),
            ("network-policy", "{name} is [cut off|blocked]."),
            ("bad-rollout", "{name} vanished with its last [release|rollout]."),
        ),
        evidence=(
            EvidenceText("Metric", "prometheus", "kube_deployment_spec_replicas 0"),
            EvidenceText("Text", "audit", "scale {name} [to|=] 0"),
        ),
        user_impact="refused",
        repairs=((expect(Scale, replicas=before),),),
        useless_repairs=(RESTART,),
        text_values={"before": before},
    )


def fewer_replicas(rng: Rng, system: System) -> BrokenSystem | None:
    """The workload has fewer replicas than before, and is overloaded."""
    before = system.replicas
    if before < 2:
        return None
    remember_replicas(system)
    system.replicas = rng.integer(1, before - 1)
    system.pods = system.pods[: system.replicas]
    for pod in system.pods:
        system.usage[pod.name] = (rng.integer(92, 101), system.memory_percent)
    return BrokenSystem(
        system,
        fault_types=(
            "scaled-down",
            "too-few-replicas",
            "overload",
            "under-provisioned",
            "cpu-stress",
        ),
        summaries=(
            (
                "{name} [is down to|runs with|has] {now} of {before} [instances|pods], [all "
                "busy|they are at their limit]."
            ),
            "{name} [was shrunk|was scaled down] and [queues|lags] now.",
        ),
        terse_summaries=("{name} [too few pods|overloaded]",),
        wrong_diagnoses=(("runaway-process", "A [loop|process] burns the CPU of {name}."),),
        evidence=(
            EvidenceText("Text", "audit", "scale {name} {before} -> {now}"),
            EvidenceText("Metric", "gateway", "[queue|in-flight] {queue}"),
        ),
        user_impact=rng.choice(("", "slow")),
        repairs=((expect(Scale, replicas=before),),),
        useless_repairs=(RESTART,),
        effects=FaultEffects(
            default_behaviour={"cpu_millicores": system.cpu * system.replicas * 108 // 100}
        ),
        text_values={"before": before, "now": system.replicas, "queue": rng.integer(50, 900)},
    )


def remember_replicas(system: System) -> None:
    """Make sure that the former number of replicas is recorded somewhere."""
    if system.kind == "StatefulSet":
        system.has_last_applied = True
    system.original_replicas = system.replicas
    if not system.has_last_applied:
        # The ReplicaSet of an earlier revision records the number.
        system.earlier_templates = [(t, system.replicas) for t, _ in system.earlier_templates] or [
            (_other_image(system), system.replicas)
        ]


def _other_image(system: System) -> Json:
    old = copy.deepcopy(system.template)
    main = old["spec"]["containers"][0]
    main["image"] = f"{main['image'].rpartition(':')[0]}:{names.tag(system.rng)}"
    return old


FAULTS: dict[str, FaultMaker] = {
    "replicas-zero": replicas_zero,
    "fewer-replicas": fewer_replicas,
}
