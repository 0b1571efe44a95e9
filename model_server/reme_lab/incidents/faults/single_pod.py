"""Faults of a single pod, which a new pod does not have."""

from collections.abc import Sequence

from reme_lab.incidents.broken_system import (
    BrokenSystem,
    EvidenceText,
    FaultEffects,
    FaultMaker,
    Repair,
    expect,
)
from reme_lab.incidents.faults.common import RESTART, SCALE, add_probe_timeout_event
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import MIB, System
from reme_lab.simulator import Stress
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.resources import SetResources
from reme_playbook.actions.rollback import Rollback


def replace_pod_repairs(system: System, pod: str, *, identified: bool = True) -> Sequence[Repair]:
    """Return the repairs: delete the pod if it can be identified and others serve, or restart."""
    delete = (expect(DeletePod, pod),)
    if identified and system.replicas > 1:
        return (delete, RESTART)
    return (RESTART, delete) if identified else (RESTART,)


def cpu_stress(rng: Rng, system: System) -> BrokenSystem:
    """A process in one pod uses all the CPU of its limit."""
    pod = rng.choice(system.pods)
    share = rng.integer(93, 101)
    system.usage[pod.name] = (share, system.memory_percent + rng.integer(0, 6))
    used = system.cpu * share // 100
    return BrokenSystem(
        system,
        fault_types=(
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
        terse_summaries=(
            "{name} [cpu saturated|CPU 100%|burning CPU]",
            "[hot pod|cpu alert]: {name}",
        ),
        wrong_diagnoses=(
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
        evidence=(
            EvidenceText("Metric", "Pod/{pod}/{container}", "cpu {used}m of {limit}m ({share}%)"),
            EvidenceText(
                "Metric",
                "prometheus",
                "container_cpu_usage_seconds rate {used}m, [limit {limit}m|quota reached]",
            ),
            EvidenceText(
                "Log", "Pod/{pod}/{container}", "[event loop|worker|scheduler] lag {lag} ms"
            ),
            EvidenceText("Metric", "cadvisor", "throttled periods {throttled}%"),
        ),
        user_impact=rng.choice(("", "", "slow")),
        repairs=replace_pod_repairs(system, pod.name),
        useless_repairs=(SCALE, (expect(SetResources),)),
        text_values={
            "pod": pod.name,
            "share": share,
            "used": used,
            "limit": system.cpu,
            "lag": rng.integer(200, 4000),
            "throttled": rng.integer(70, 100),
        },
        usage_thresholds={"cpu": rng.choice((50, 60, 70, 80))},
        effects=FaultEffects({pod.name: Stress(cpu=True)}),
    )


def memory_stress(rng: Rng, system: System) -> BrokenSystem:
    """A process in one pod holds much more memory than the program needs."""
    pod = rng.choice(system.pods)
    share = rng.integer(62, 98)
    system.memory_percent = rng.integer(5, 30)
    system.usage[pod.name] = (system.cpu_percent, share)
    used = system.memory * share // 100
    return BrokenSystem(
        system,
        fault_types=(
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
        terse_summaries=(
            "{name} [memory high|mem {share}%|is eating memory]",
            "memory alert {name}",
        ),
        wrong_diagnoses=(
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
        evidence=(
            EvidenceText(
                "Metric", "Pod/{pod}/{container}", "memory {used}Mi of {limit}Mi ({share}%)"
            ),
            EvidenceText(
                "Metric", "prometheus", "working set {used}Mi, [yesterday|last week] {usual}Mi"
            ),
            EvidenceText(
                "Log",
                "Pod/{pod}/{container}",
                "[gc|allocator]: [pause|stall] {lag} ms, heap [nearly full|grew]",
            ),
        ),
        repairs=replace_pod_repairs(system, pod.name),
        useless_repairs=(SCALE, (expect(SetResources),)),
        text_values={
            "pod": pod.name,
            "share": share,
            "used": used,
            "limit": system.memory,
            "usual": system.memory // 6,
            "lag": rng.integer(80, 900),
        },
        usage_thresholds={"memory": rng.choice((50, 50, 55, 60))},
        effects=FaultEffects(
            {
                pod.name: Stress(
                    memory_bytes=(share - system.memory_percent) * system.memory * MIB // 100
                )
            }
        ),
    )


def pod_fail(rng: Rng, system: System) -> BrokenSystem:
    """One pod runs another image than its workload, and does not serve."""
    pod = rng.choice(system.pods)
    pod.ready = False
    pod.image = rng.parameter(
        (
            "registry.k8s.io/pause:3.9",
            "busybox:1",
            "k8s.gcr.io/pause:3.1",
            "alpine:3",
            "scratch/noop:0",
            "gcr.io/pause:2.0",
        )
    )
    if rng.chance(50):
        pod.restarts = rng.integer(1, 6)
        pod.state = {
            "state": {
                "waiting": {
                    "reason": "CrashLoopBackOff",
                    "message": "back-off restarting failed container",
                }
            },
            "lastState": {
                "terminated": {
                    "reason": rng.choice(("Completed", "Error", "StartError")),
                    "exitCode": rng.choice((0, 1, 127, 128)),
                }
            },
        }
    return _dead_pod(rng, system, pod.name)


def hung_pod(rng: Rng, system: System) -> BrokenSystem:
    """One pod hangs: it runs, and does not respond."""
    pod = rng.choice(system.pods)
    pod.ready = False
    add_probe_timeout_event(rng, system, rng.integer(5, 90))
    return _dead_pod(rng, system, pod.name)


def crashed_pod(rng: Rng, system: System) -> BrokenSystem:
    """One pod keeps crashing while others of the same template run."""
    if system.replicas < 2:
        system.replicas = system.original_replicas = 2
        system.pods.append(system.new_pod())
    pod = rng.choice(system.pods)
    pod.ready, pod.restarts = False, rng.integer(4, 30)
    pod.state = {
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
        "lastState": {"terminated": {"reason": "Error", "exitCode": rng.choice((1, 2, 134, 139))}},
    }
    return _dead_pod(rng, system, pod.name)


def _dead_pod(rng: Rng, system: System, pod: str) -> BrokenSystem:
    return BrokenSystem(
        system,
        fault_types=(
            "pod-fail",
            "pod-failure",
            "pod-down",
            "pod-not-ready",
            "dead-pod",
            "instance-down",
        ),
        summaries=(
            "{pod} [is dead|does not serve|stopped working|went down][, the rest is fine|].",
            (
                "[One|A single] [instance|replica|pod] of {name} is [broken|gone bad|out of "
                "service] and [stays so|does not heal|never comes back]."
            ),
            "{name} [lost|misses] [an instance|a replica|one backend]: {pod} [is unready|fails].",
        ),
        terse_summaries=("{name}: [instance down|dead pod|{pod} unready]",),
        wrong_diagnoses=(
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
        evidence=(
            EvidenceText("Text", "Pod/{pod}", "[not ready|Ready=False] [for {minutes} min|]"),
            EvidenceText("Metric", "prometheus", "kube_pod_status_ready 0 for {pod}"),
            EvidenceText("Event", "Pod/{pod}", "[BackOff|Unhealthy|ContainersNotReady]"),
        ),
        user_impact=rng.choice(("", "refused", "errors")) if system.replicas == 1 else "",
        # The pod can be identified and does not serve: deleting it costs nothing.
        repairs=((expect(DeletePod, pod),), RESTART),
        useless_repairs=(SCALE, (expect(SetResources),), (expect(Rollback),)),
        effects=FaultEffects({pod: Stress(failed=True)}),
        text_values={"pod": pod, "minutes": rng.integer(2, 40)},
    )


FAULTS: dict[str, FaultMaker] = {
    "cpu-stress": cpu_stress,
    "memory-stress": memory_stress,
    "pod-fail": pod_fail,
    "hung-pod": hung_pod,
    "crashed-pod": crashed_pod,
}
