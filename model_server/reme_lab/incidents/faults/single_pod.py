"""Faults that live in one pod: a fresh pod is free of them."""

from collections.abc import Sequence

from reme_lab.incidents.broken_system import Clue, Hidden, Incident, Maker, Repair, wish
from reme_lab.incidents.faults.common import RESTART, SCALE, late_probe
from reme_lab.incidents.rng import Draw
from reme_lab.incidents.system import MIB, System
from reme_lab.simulator import Stress
from reme_playbook.actions.registry import DeletePod, Rollback, SetResources


def fresh_pod(system: System, pod: str, *, told: bool = True) -> Sequence[Repair]:
    """Return what removes a fault of one pod: that pod, if it can be told and others serve."""
    delete = (wish(DeletePod, pod),)
    if told and system.replicas > 1:
        return (delete, RESTART)
    return (RESTART, delete) if told else (RESTART,)


def cpu_stress(draw: Draw, system: System) -> Incident:
    """Something in one pod burns all the CPU that its limit allows."""
    pod = draw.one(system.pods)
    share = draw.number(93, 101)
    system.usage[pod.name] = (share, system.memory_percent + draw.number(0, 6))
    used = system.cpu * share // 100
    return Incident(
        system,
        types=(
            "cpu-stress",
            "high-cpu",
            "cpu-saturation",
            "cpu-hog",
            "runaway-process",
            "cpu-exhausted",
        ),
        summaries=(
            (
                "[One|A] [pod|replica|instance] of {name} [burns|eats|consumes] [its "
                "whole|all its|the entire] CPU [quota|allowance|budget] [while traffic is "
                "flat|though load did not change|without more traffic]."
            ),
            (
                "{pod} [is pinned|sits|runs] at {share}% CPU[, its siblings are idle|, "
                "nothing else changed|]."
            ),
            (
                "CPU [saturation|exhaustion] [detected in|seen on|inside] {name}: [{used}m "
                "used|the cgroup is throttled|a busy loop is suspected]."
            ),
            (
                "Container {container} of {name} is CPU bound[; requests queue|; response "
                "times doubled|]."
            ),
        ),
        terse=("{name} [cpu saturated|CPU 100%|burning CPU]", "[hot pod|cpu alert]: {name}"),
        astray=(
            (
                "network-delay",
                "[Packets|Traffic] between {name} and its peers [seem|appear] delayed.",
            ),
            ("network-loss", "{name} [drops|loses] part of its traffic, probably on the wire."),
            ("disk-io", "{name} [stalls|hangs] on I/O, [slow storage|the volume] is suspected."),
            (
                "overload",
                "{name} is [simply|probably] too small for today's traffic; add replicas.",
            ),
        ),
        clues=(
            Clue("Metric", "Pod/{pod}/{container}", "cpu {used}m of {limit}m ({share}%)"),
            Clue(
                "Metric",
                "prometheus",
                "container_cpu_usage_seconds rate {used}m, [limit {limit}m|quota reached]",
            ),
            Clue("Log", "Pod/{pod}/{container}", "[event loop|worker|scheduler] lag {lag} ms"),
            Clue("Metric", "cadvisor", "throttled periods {throttled}%"),
        ),
        felt=draw.one(("", "", "slow")),
        repairs=fresh_pod(system, pod.name),
        useless=(SCALE, (wish(SetResources),)),
        values={
            "pod": pod.name,
            "share": share,
            "used": used,
            "limit": system.cpu,
            "lag": draw.number(200, 4000),
            "throttled": draw.number(70, 100),
        },
        most_percent={"cpu": draw.one((50, 60, 70, 80))},
        hidden=Hidden({pod.name: Stress(cpu=True)}),
    )


def memory_stress(draw: Draw, system: System) -> Incident:
    """Something in one pod holds much more memory than the program needs."""
    pod = draw.one(system.pods)
    share = draw.number(62, 98)
    system.memory_percent = draw.number(5, 30)
    system.usage[pod.name] = (system.cpu_percent, share)
    used = system.memory * share // 100
    return Incident(
        system,
        types=(
            "memory-stress",
            "high-memory",
            "memory-pressure",
            "memory-hog",
            "memory-exhausted",
            "mem-stress",
        ),
        summaries=(
            (
                "[A|One] [replica|pod|instance] of {name} [sits on|occupies|hoards] "
                "{used}Mi, [far beyond|well over|several times] its [usual|normal|typical] "
                "working set."
            ),
            (
                "Memory of {pod} [jumped|climbed|rose] to {share}% of [its limit|the "
                "limit|what it may use]."
            ),
            (
                "[Unexpected|Unusual|Abnormal] memory [consumption|footprint] in {name}[, no "
                "release went out|, a stray process is likely|]."
            ),
        ),
        terse=("{name} [memory high|mem {share}%|is eating memory]", "memory alert {name}"),
        astray=(
            (
                "overload",
                (
                    "{name} [handles|gets|serves] more [users|traffic] than before and "
                    "should be scaled out."
                ),
            ),
            ("cpu-stress", "{name} [is slow|reacts slowly], [likely|presumably] starved of CPU."),
            (
                "bad-rollout",
                "The [current|newest] [build|release] of {name} [looks|seems] wasteful.",
            ),
        ),
        clues=(
            Clue("Metric", "Pod/{pod}/{container}", "memory {used}Mi of {limit}Mi ({share}%)"),
            Clue("Metric", "prometheus", "working set {used}Mi, [yesterday|last week] {usual}Mi"),
            Clue(
                "Log",
                "Pod/{pod}/{container}",
                "[gc|allocator]: [pause|stall] {lag} ms, heap [nearly full|grew]",
            ),
        ),
        repairs=fresh_pod(system, pod.name),
        useless=(SCALE, (wish(SetResources),)),
        values={
            "pod": pod.name,
            "share": share,
            "used": used,
            "limit": system.memory,
            "usual": system.memory // 6,
            "lag": draw.number(80, 900),
        },
        most_percent={"memory": draw.one((50, 50, 55, 60))},
        hidden=Hidden(
            {
                pod.name: Stress(
                    memory_bytes=(share - system.memory_percent) * system.memory * MIB // 100
                )
            }
        ),
    )


def pod_fail(draw: Draw, system: System) -> Incident:
    """One pod runs another image than its workload has, and does nothing."""
    pod = draw.one(system.pods)
    pod.ready = False
    pod.image = draw.parameter(
        (
            "registry.k8s.io/pause:3.9",
            "busybox:1",
            "k8s.gcr.io/pause:3.1",
            "alpine:3",
            "scratch/noop:0",
            "gcr.io/pause:2.0",
        )
    )
    if draw.chance(50):
        pod.restarts = draw.number(1, 6)
        pod.state = {
            "state": {
                "waiting": {
                    "reason": "CrashLoopBackOff",
                    "message": "back-off restarting failed container",
                }
            },
            "lastState": {
                "terminated": {
                    "reason": draw.one(("Completed", "Error", "StartError")),
                    "exitCode": draw.one((0, 1, 127, 128)),
                }
            },
        }
    return _dead_pod(draw, system, pod.name)


def hung_pod(draw: Draw, system: System) -> Incident:
    """One pod hangs: it runs, and answers nothing."""
    pod = draw.one(system.pods)
    pod.ready = False
    late_probe(draw, system, draw.number(5, 90))
    return _dead_pod(draw, system, pod.name)


def crashed_pod(draw: Draw, system: System) -> Incident:
    """One pod crashes again and again while others of the same template run."""
    if system.replicas < 2:
        system.replicas = system.original_replicas = 2
        system.pods.append(system.pod())
    pod = draw.one(system.pods)
    pod.ready, pod.restarts = False, draw.number(4, 30)
    pod.state = {
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
        "lastState": {"terminated": {"reason": "Error", "exitCode": draw.one((1, 2, 134, 139))}},
    }
    return _dead_pod(draw, system, pod.name)


def _dead_pod(draw: Draw, system: System, pod: str) -> Incident:
    return Incident(
        system,
        types=("pod-fail", "pod-failure", "pod-down", "pod-not-ready", "dead-pod", "instance-down"),
        summaries=(
            "{pod} [is dead|does not serve|stopped working|went down][, the rest is fine|].",
            (
                "[One|A single] [instance|replica|pod] of {name} is [broken|gone bad|out of "
                "service] and [stays so|does not heal|never comes back]."
            ),
            "{name} [lost|misses] [an instance|a replica|one backend]: {pod} [is unready|fails].",
        ),
        terse=("{name}: [instance down|dead pod|{pod} unready]",),
        astray=(
            (
                "oom",
                (
                    "[A|One] [replica|pod] of {name} [was killed|died], [its memory is too "
                    "small|memory ran out]."
                ),
            ),
            (
                "bad-rollout",
                "[A|One] pod of {name} is down; blame the [last|newest] [change|build].",
            ),
            ("readiness-probe", "The probe of {name} [is too strict|should be relaxed]."),
        ),
        clues=(
            Clue("Text", "Pod/{pod}", "[not ready|Ready=False] [for {minutes} min|]"),
            Clue("Metric", "prometheus", "kube_pod_status_ready 0 for {pod}"),
            Clue("Event", "Pod/{pod}", "[BackOff|Unhealthy|ContainersNotReady]"),
        ),
        felt=draw.one(("", "refused", "errors")) if system.replicas == 1 else "",
        # The pod can be told, and it serves nobody: nothing is lost with it.
        repairs=((wish(DeletePod, pod),), RESTART),
        useless=(SCALE, (wish(SetResources),), (wish(Rollback),)),
        hidden=Hidden({pod: Stress(failed=True)}),
        values={"pod": pod, "minutes": draw.number(2, 40)},
    )


FAULTS: dict[str, Maker] = {
    "cpu-stress": cpu_stress,
    "memory-stress": memory_stress,
    "pod-fail": pod_fail,
    "hung-pod": hung_pod,
    "crashed-pod": crashed_pod,
}
