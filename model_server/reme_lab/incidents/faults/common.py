"""Shared by several faults: useless repairs, and the states of failing pods."""

from collections.abc import Sequence
from typing import Any

from reme_lab.incidents.broken_system import (
    BrokenSystem,
    EvidenceText,
    FaultEffects,
    Repair,
    expect,
)
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import Json, System
from reme_lab.simulator import BehaviourRule
from reme_playbook.actions.resources import SetResources
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from reme_playbook.actions.scale import Scale

RESTART: Repair = (expect(Restart),)


ROLL_BACK: Repair = (expect(Rollback),)


MORE_RESOURCES: Repair = (expect(SetResources),)


SCALE: Repair = (expect(Scale),)


HANG_DIAGNOSES = (
    ("hang", "{name} [hangs|is stuck|froze]; [bounce|restart|recycle] it."),
    (
        "network-policy",
        "[A firewall|Some policy|A network policy] [cuts off|blocks|shields] {name}.",
    ),
    ("bad-rollout", "{name} is [down|gone] since its [last|newest] [build|release]."),
)


def crash_loop_state(rng: Rng, code: int | None = None, reason: str = "Error") -> Json:
    """Return the state of pods whose container terminates at its start."""
    return {
        "ready": False,
        "restarts": rng.integer(2, 20),
        "state": {
            "state": {
                "waiting": {
                    "reason": "CrashLoopBackOff",
                    "message": "back-off restarting failed container",
                }
            },
            "lastState": {
                "terminated": {
                    "reason": reason,
                    "exitCode": rng.choice((1, 2, 126, 127)) if code is None else code,
                }
            },
        },
    }


def waiting_state(reason: str, message: str) -> Json:
    """Return the state of pods whose container cannot be created."""
    return {
        "ready": False,
        "phase": "Pending",
        "state": {"state": {"waiting": {"reason": reason, "message": message}}},
    }


def add_probe_timeout_event(rng: Rng, system: System, times: int) -> None:
    """Add the event of readiness probes that timed out."""
    http_get = system.main_container["readinessProbe"]["httpGet"]
    address = f"10.{rng.integer(0, 9)}.0.{rng.integer(2, 250)}"
    url = f"http://{address}:{http_get['port']}{http_get['path']}"
    suffix = rng.choice(("", " (Client.Timeout exceeded while awaiting headers)"))
    message = f'Get "{url}": context deadline exceeded{suffix}'
    system.add_event("Unhealthy", f"Readiness probe failed: {message}", times)


def impact_unless_served(system: System, impact: str) -> str:
    """Return the impact on users: none while old pods serve."""
    return "" if any(pod.ready for pod in system.pods) else impact


def stick_unscheduled(system: System, why: str) -> None:
    """Make the rollout get stuck because no node takes its pods."""
    system.stick_rollout(ready=False, phase="Pending", state={}, unscheduled=why)
    system.add_event("FailedScheduling", why, system.rng.integer(1, 12))
    system.node_labels = frozenset({("kubernetes.io/os", "linux"), ("kubernetes.io/arch", "amd64")})


def unscheduled_rollout(
    rng: Rng,
    system: System,
    types: Sequence[str],
    summary: str,
    repairs: Sequence[Repair],
    values: dict[str, Any],
) -> BrokenSystem:
    """Return the broken system of a rollout whose pods cannot be scheduled."""
    del rng
    return BrokenSystem(
        system,
        fault_types=types,
        summaries=(
            summary,
            f"[No node takes|The scheduler cannot place] {{pod}}. {summary}",
            "[A pod|The newest pod] of {name} [cannot be placed|finds no node|waits for a node].",
        ),
        terse_summaries=("{name} [pending|not scheduled|waits for a node]",),
        wrong_diagnoses=(
            (
                "node-pressure",
                "{name} [waits|is pending], [all nodes are|the node is] [full|short of memory].",
            ),
            ("image-pull-error", "{name} [waits|is pending] for its image."),
            (
                "quota-exceeded",
                "{name} [waits|is pending], the namespace [is at its quota|has no quota left].",
            ),
        ),
        evidence=(
            EvidenceText(
                "Event", "Pod/{pod}", "FailedScheduling: [no node fits|nodes unavailable]"
            ),
            EvidenceText("Text", "scheduler", "[unschedulable|pending for {minutes} min]"),
        ),
        user_impact=impact_unless_served(system, "refused"),
        repairs=repairs,
        useless_repairs=(RESTART, SCALE),
        text_values={**values, "pod": system.pods[-1].name, "minutes": system.rng.integer(2, 60)},
    )


def crashing_rollout(
    rng: Rng,
    system: System,
    types: Sequence[str],
    summaries: Sequence[str],
    log: str,
    repairs: Sequence[Repair],
    values: dict[str, object],
    *rules: BehaviourRule,
) -> BrokenSystem:
    """Return the broken system of a rollout whose pods terminate at their start."""
    system.add_event("BackOff", "Back-off restarting failed container", rng.integer(3, 60))
    return BrokenSystem(
        system,
        fault_types=types,
        summaries=(
            *summaries,
            (
                "{name} [crash loops|restarts over and over|is in CrashLoopBackOff][ with exit "
                "code {code}|]."
            ),
        ),
        terse_summaries=("{name} [crashing|crash loop|exit {code}|keeps exiting]",),
        wrong_diagnoses=(
            (
                "oom",
                (
                    "{name} [probably|presumably] [runs|ran] out of memory [when it "
                    "starts|while it boots]."
                ),
            ),
            (
                "dependency-down",
                (
                    "{name} [cannot start|dies], [something|a backend] it needs [is "
                    "missing|is unreachable]."
                ),
            ),
            ("liveness-probe", "The liveness probe kills {name} [too early|before it is up]."),
        ),
        evidence=(
            EvidenceText("Log", "Pod/{pod}/{container}", f"[ERROR|fatal|panic|E] {log}"),
            EvidenceText("Event", "Pod/{pod}", "BackOff: restarting failed container {container}"),
            EvidenceText("Metric", "prometheus", "kube_pod_container_restarts [rising|{restarts}]"),
        ),
        user_impact=impact_unless_served(system, "refused"),
        repairs=repairs,
        useless_repairs=(RESTART, SCALE, MORE_RESOURCES),
        effects=FaultEffects(rules=rules),
        text_values={**values, "pod": system.pods[-1].name, "restarts": system.pods[-1].restarts},
    )
