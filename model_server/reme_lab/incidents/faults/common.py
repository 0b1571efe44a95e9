"""What several faults share: first tries that do not help, and how failing pods look."""

from collections.abc import Sequence
from typing import Any

from reme_lab.incidents.broken_system import BrokenSystem, EvidenceText, Repair, expect
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import Json, System
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
    """Return how pods look whose container ends at its start."""
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
    """Return how pods look whose container cannot be made."""
    return {
        "ready": False,
        "phase": "Pending",
        "state": {"state": {"waiting": {"reason": reason, "message": message}}},
    }


def add_probe_timeout_event(rng: Rng, system: System, times: int) -> None:
    """Add the event of readiness probes that were answered too late."""
    asked = system.main_container["readinessProbe"]["httpGet"]
    url = f"http://10.{rng.integer(0, 9)}.0.{rng.integer(2, 250)}:{asked['port']}{asked['path']}"
    more = rng.choice(("", " (Client.Timeout exceeded while awaiting headers)"))
    said = f'Get "{url}": context deadline exceeded{more}'
    system.add_event("Unhealthy", f"Readiness probe failed: {said}", times)


def impact_unless_served(system: System, felt: str) -> str:
    """Return what users feel: nothing while old pods serve."""
    return "" if any(pod.ready for pod in system.pods) else felt


def stick_unscheduled(system: System, why: str) -> None:
    """Have the rollout get stuck because no node takes its pods."""
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
    """Return the incident of a rollout whose pods no node takes."""
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
