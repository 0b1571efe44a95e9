"""Rollouts with limits or requests that are far too low or too high."""

import copy
from collections.abc import Sequence

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import BrokenSystem, EvidenceText, FaultMaker, Repair, expect
from reme_lab.incidents.faults.common import (
    RESTART,
    ROLL_BACK,
    SCALE,
    crash_loop_state,
    impact_unless_served,
    stick_unscheduled,
    unscheduled_rollout,
)
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import Json, System
from reme_playbook.actions.resources import SetResources


def set_resources(system: System, **amounts: str) -> None:
    """Roll out other limits (`cpu`, `memory`) or requests (`cpu_request`, `memory_request`)."""

    def change(_: Json, main: Json) -> None:
        main["resources"] = copy.deepcopy(main["resources"])
        for key, amount in amounts.items():
            name, request = [*key.split("_"), ""][:2]
            main["resources"]["requests" if request else "limits"][name] = amount

    system.roll_out(change)


def restored_resources(rng: Rng, system: System) -> Sequence[Repair]:
    """Return the action that restores resources; SetResources alone if more was changed."""
    if not rng.chance(20):
        return (ROLL_BACK, (expect(SetResources),))
    # The rollout also brought a new version, which works.
    system.main_container["image"] = (
        f"{system.main_container['image'].rpartition(':')[0]}:{names.tag(rng)}"
    )
    for pod in system.pods:
        if pod.hash == system.hash:
            pod.template = system.template
    return ((expect(SetResources),), ROLL_BACK)


def oom_limit(rng: Rng, system: System) -> BrokenSystem:
    """The memory limit is below what the program needs."""
    low = max(8, system.memory // rng.parameter((5, 6, 8, 10, 12, 16, 20, 24)))
    system.memory_percent = min(80, 110 * low // system.memory + rng.integer(5, 20))
    set_resources(system, memory=f"{low}Mi", memory_request=f"{low}Mi")
    system.stick_rollout(**crash_loop_state(rng, 137, "OOMKilled"))
    repairs = restored_resources(rng, system)
    return BrokenSystem(
        system,
        fault_types=(
            "oom-limit",
            "oom",
            "oom-killed",
            "out-of-memory",
            "memory-limit",
            "limit-too-low",
        ),
        summaries=(
            (
                "{name} [is|gets|was] killed for memory[: {low}Mi are too few| since it may "
                "have {low}Mi only|]."
            ),
            (
                "[Somebody|The last change|A change] [cut|reduced|shrank] the memory of "
                "{name} to {low}Mi, [it needs more|from {before}Mi]."
            ),
            "[Exit code 137|OOM kills] [in|at] {name}[, over and over|].",
        ),
        terse_summaries=("{name} [OOM|exit 137|killed for memory]",),
        wrong_diagnoses=(
            ("crash-loop", "{name} crashes; [its build|the build] [is broken|has a bug]."),
            (
                "liveness-probe",
                (
                    "{name} [is killed|dies] with 137, [its|the] liveness check is [too "
                    "strict|guilty]."
                ),
            ),
            ("memory-stress", "{name} [fills|wastes] its memory."),
        ),
        evidence=(
            EvidenceText(
                "Event", "Pod/{pod}", "[OOMKilling|oom-kill]: memory cgroup out of memory, {low}Mi"
            ),
            EvidenceText("Log", "node", "kernel: [oom-kill|Killed process] {container}"),
        ),
        user_impact=impact_unless_served(system, "refused"),
        repairs=repairs,
        useless_repairs=(RESTART, SCALE),
        text_values={"low": low, "before": system.memory, "pod": system.pods[-1].name},
    )


def throttled(rng: Rng, system: System) -> BrokenSystem | None:
    """The CPU limit is far too low."""
    low = rng.parameter((5, 6, 7, 9, 18, 20, 25, 30))
    if system.cpu < 4 * low:
        return None
    set_resources(system, cpu=f"{low}m", cpu_request=f"{low}m")
    _starve(rng, system)
    repairs = restored_resources(rng, system)
    return _starved(
        rng,
        system,
        low,
        ("throttled", "cpu-throttling", "cpu-limit", "limit-too-low", "cpu-starved"),
        repairs,
    )


def pod_config_error(rng: Rng, system: System) -> BrokenSystem:
    """Both limits are far too low."""
    low = rng.parameter((1, 5, 6, 7, 8, 9, 10, 1))
    set_resources(
        system,
        cpu=f"{low}m",
        cpu_request="1m",
        memory=f"{rng.choice((100, 128, 200, 256))}Mi",
        memory_request=f"{rng.choice((50, 64, 100))}Mi",
    )
    _starve(rng, system)
    return _starved(
        rng,
        system,
        low,
        (
            "pod-config-error",
            "pod-config",
            "bad-limits",
            "misconfigured-limits",
            "config-error",
            "wrong-resources",
        ),
        (ROLL_BACK, (expect(SetResources),)),
    )


def _starve(rng: Rng, system: System) -> None:
    low = int(system.main_container["resources"]["limits"]["cpu"][:-1])
    system.cpu_percent = max(system.cpu_percent, 115 * low // system.cpu + 1)
    if rng.chance(60):
        system.stick_rollout(ready=False)
        system.add_event(
            "Unhealthy", "Readiness probe failed: context deadline exceeded", rng.integer(3, 60)
        )
    else:
        system.replace_all()
    for pod in system.pods:
        if pod.hash == system.hash:
            system.usage[pod.name] = (rng.integer(95, 104), rng.integer(10, 40))


def _starved(
    rng: Rng, system: System, low: int, types: Sequence[str], repairs: Sequence[Repair]
) -> BrokenSystem:
    return BrokenSystem(
        system,
        fault_types=types,
        summaries=(
            (
                "{name} may [use|have] {low}m of CPU [only|and no more][ since its last "
                "change|], {before}m [before|earlier]."
            ),
            (
                "[The quota|The CPU quota|What] {name} [gets|may use] [was cut|was "
                "slashed|shrank] [to {low}m|][; it crawls|]."
            ),
            "{name} [crawls|hardly runs|is starved]: [tiny limits|its limits are tiny].",
        ),
        terse_summaries=("{name} [starved|throttled|crawls|limits too small]",),
        wrong_diagnoses=(
            ("bad-version", "{name} [is slow|crawls], its [code|build] [got worse|regressed]."),
            (
                "readiness-probe",
                "{name} [fails|misses] its checks, [make them|they should be] more patient.",
            ),
            ("disk-io", "{name} [crawls|is slow], [its disk|the disk] [is slow|stalls]."),
            ("cpu-stress", "{name} [is hot|burns CPU], [something|a process] runs wild."),
        ),
        evidence=(
            EvidenceText("Metric", "cadvisor", "{container} throttled in {throttled}% of periods"),
            EvidenceText("Metric", "Pod/{pod}/{container}", "cpu {low}m of {low}m (100%)"),
            EvidenceText("Event", "Pod/{pod}", "Unhealthy: [check|probe] timed out"),
        ),
        user_impact=impact_unless_served(system, "slow") or rng.choice(("", "slow")),
        repairs=repairs,
        useless_repairs=(RESTART, SCALE),
        text_values={
            "low": low,
            "before": system.cpu,
            "throttled": rng.integer(75, 100),
            "pod": system.pods[-1].name,
        },
        usage_thresholds={"cpu": rng.choice((60, 70, 80))} if rng.chance(50) else {},
    )


def oversized_request(rng: Rng, system: System) -> BrokenSystem:
    """No node can satisfy the request."""
    if rng.chance(60):
        amount = rng.parameter(("40", "48", "80", "100", "120", "200", "320", "400"))
        set_resources(system, cpu=amount, cpu_request=amount)
        resource = "cpu"
    else:
        amount = rng.parameter(
            ("300Gi", "500Gi", "640Gi", "750Gi", "900Gi", "2000Gi", "1500Gi", "4000Gi")
        )
        set_resources(system, memory=amount, memory_request=amount)
        resource = "memory"
    nodes = rng.integer(1, 6)
    stick_unscheduled(system, f"0/{nodes} nodes are available: {nodes} Insufficient {resource}.")
    return unscheduled_rollout(
        rng,
        system,
        (
            "oversized-request",
            "unschedulable",
            "insufficient-resources",
            "pending-pod",
            "request-too-large",
        ),
        (
            "{name} [asks for|wants|requests] {amount} of {what}, [no machine has that|more "
            "than any node has]."
        ),
        restored_resources(rng, system),
        {"amount": amount, "what": resource},
    )


FAULTS: dict[str, FaultMaker] = {
    "oom-limit": oom_limit,
    "throttled": throttled,
    "pod-config-error": pod_config_error,
    "oversized-request": oversized_request,
}
