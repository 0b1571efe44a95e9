"""Rollouts with limits and requests that are far too low or too high."""

import copy
from collections.abc import Sequence

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import Clue, Incident, Maker, Repair, wish
from reme_lab.incidents.faults.common import (
    BACK,
    RESTART,
    SCALE,
    crash,
    felt_by_all,
    pending,
    unplaced,
)
from reme_lab.incidents.rng import Draw
from reme_lab.incidents.system import Json, System
from reme_playbook.actions.registry import SetResources


def set_resources(system: System, **amounts: str) -> None:
    """Roll out other amounts: `cpu` and `memory` for the limit, `cpu_request` and so on."""

    def change(_: Json, main: Json) -> None:
        main["resources"] = copy.deepcopy(main["resources"])
        for key, amount in amounts.items():
            name, request = [*key.split("_"), ""][:2]
            main["resources"]["requests" if request else "limits"][name] = amount

    system.roll(change)


def set_back(draw: Draw, system: System) -> Sequence[Repair]:
    """Return how amounts of the last rollout are taken back: alone where more was changed."""
    if not draw.chance(20):
        return (BACK, (wish(SetResources),))
    # The rollout brought a new version too, which is not to blame.
    system.main["image"] = f"{system.main['image'].rpartition(':')[0]}:{names.tag(draw)}"
    for pod in system.pods:
        if pod.hash == system.hash:
            pod.template = system.template
    return ((wish(SetResources),), BACK)


def oom_limit(draw: Draw, system: System) -> Incident:
    """A memory limit that was lowered below what the program needs."""
    low = max(8, system.memory // draw.parameter((5, 6, 8, 10, 12, 16, 20, 24)))
    system.memory_percent = min(80, 110 * low // system.memory + draw.number(5, 20))
    set_resources(system, memory=f"{low}Mi", memory_request=f"{low}Mi")
    system.stick(**crash(draw, 137, "OOMKilled"))
    repairs = set_back(draw, system)
    return Incident(
        system,
        types=("oom-limit", "oom", "oom-killed", "out-of-memory", "memory-limit", "limit-too-low"),
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
        terse=("{name} [OOM|exit 137|killed for memory]",),
        astray=(
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
        clues=(
            Clue(
                "Event", "Pod/{pod}", "[OOMKilling|oom-kill]: memory cgroup out of memory, {low}Mi"
            ),
            Clue("Log", "node", "kernel: [oom-kill|Killed process] {container}"),
        ),
        felt=felt_by_all(system, "refused"),
        repairs=repairs,
        useless=(RESTART, SCALE),
        values={"low": low, "before": system.memory, "pod": system.pods[-1].name},
    )


def throttled(draw: Draw, system: System) -> Incident | None:
    """A CPU limit that was lowered far too much."""
    low = draw.parameter((5, 6, 7, 9, 18, 20, 25, 30))
    if system.cpu < 4 * low:
        return None
    set_resources(system, cpu=f"{low}m", cpu_request=f"{low}m")
    _starve(draw, system)
    repairs = set_back(draw, system)
    return _starved(
        draw,
        system,
        low,
        ("throttled", "cpu-throttling", "cpu-limit", "limit-too-low", "cpu-starved"),
        repairs,
    )


def pod_config_error(draw: Draw, system: System) -> Incident:
    """Limits of both kinds that are far too low or odd."""
    low = draw.parameter((1, 5, 6, 7, 8, 9, 10, 1))
    set_resources(
        system,
        cpu=f"{low}m",
        cpu_request="1m",
        memory=f"{draw.one((100, 128, 200, 256))}Mi",
        memory_request=f"{draw.one((50, 64, 100))}Mi",
    )
    _starve(draw, system)
    return _starved(
        draw,
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
        (BACK, (wish(SetResources),)),
    )


def _starve(draw: Draw, system: System) -> None:
    low = int(system.main["resources"]["limits"]["cpu"][:-1])
    system.cpu_percent = max(system.cpu_percent, 115 * low // system.cpu + 1)
    if draw.chance(60):
        system.stick(ready=False)
        system.event(
            "Unhealthy", "Readiness probe failed: context deadline exceeded", draw.number(3, 60)
        )
    else:
        system.replace_all()
    for pod in system.pods:
        if pod.hash == system.hash:
            system.usage[pod.name] = (draw.number(95, 104), draw.number(10, 40))


def _starved(
    draw: Draw, system: System, low: int, types: Sequence[str], repairs: Sequence[Repair]
) -> Incident:
    return Incident(
        system,
        types=types,
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
        terse=("{name} [starved|throttled|crawls|limits too small]",),
        astray=(
            ("bad-version", "{name} [is slow|crawls], its [code|build] [got worse|regressed]."),
            (
                "readiness-probe",
                "{name} [fails|misses] its checks, [make them|they should be] more patient.",
            ),
            ("disk-io", "{name} [crawls|is slow], [its disk|the disk] [is slow|stalls]."),
            ("cpu-stress", "{name} [is hot|burns CPU], [something|a process] runs wild."),
        ),
        clues=(
            Clue("Metric", "cadvisor", "{container} throttled in {throttled}% of periods"),
            Clue("Metric", "Pod/{pod}/{container}", "cpu {low}m of {low}m (100%)"),
            Clue("Event", "Pod/{pod}", "Unhealthy: [check|probe] timed out"),
        ),
        felt=felt_by_all(system, "slow") or draw.one(("", "slow")),
        repairs=repairs,
        useless=(RESTART, SCALE),
        values={
            "low": low,
            "before": system.cpu,
            "throttled": draw.number(75, 100),
            "pod": system.pods[-1].name,
        },
        most_percent={"cpu": draw.one((60, 70, 80))} if draw.chance(50) else {},
    )


def oversized_request(draw: Draw, system: System) -> Incident:
    """A request that no node can grant."""
    if draw.chance(60):
        amount = draw.parameter(("40", "48", "80", "100", "120", "200", "320", "400"))
        set_resources(system, cpu=amount, cpu_request=amount)
        what = "cpu"
    else:
        amount = draw.parameter(
            ("300Gi", "500Gi", "640Gi", "750Gi", "900Gi", "2000Gi", "1500Gi", "4000Gi")
        )
        set_resources(system, memory=amount, memory_request=amount)
        what = "memory"
    nodes = draw.number(1, 6)
    pending(system, f"0/{nodes} nodes are available: {nodes} Insufficient {what}.")
    return unplaced(
        draw,
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
        set_back(draw, system),
        {"amount": amount, "what": what},
    )


FAULTS: dict[str, Maker] = {
    "oom-limit": oom_limit,
    "throttled": throttled,
    "pod-config-error": pod_config_error,
    "oversized-request": oversized_request,
}
