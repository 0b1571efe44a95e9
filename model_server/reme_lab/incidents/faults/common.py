"""What several faults share: first tries that do not help, and how failing pods look."""

from collections.abc import Sequence
from typing import Any

from reme_lab.incidents.broken_system import Clue, Incident, Repair, wish
from reme_lab.incidents.rng import Draw
from reme_lab.incidents.system import Json, System
from reme_playbook.actions.registry import Restart, Rollback, Scale, SetResources

RESTART: Repair = (wish(Restart),)


BACK: Repair = (wish(Rollback),)


MORE_RESOURCES: Repair = (wish(SetResources),)


SCALE: Repair = (wish(Scale),)


HANGS = (
    ("hang", "{name} [hangs|is stuck|froze]; [bounce|restart|recycle] it."),
    (
        "network-policy",
        "[A firewall|Some policy|A network policy] [cuts off|blocks|shields] {name}.",
    ),
    ("bad-rollout", "{name} is [down|gone] since its [last|newest] [build|release]."),
)


def crash(draw: Draw, code: int | None = None, reason: str = "Error") -> Json:
    """Return how pods look whose container ends at its start."""
    return {
        "ready": False,
        "restarts": draw.number(2, 20),
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
                    "exitCode": draw.one((1, 2, 126, 127)) if code is None else code,
                }
            },
        },
    }


def waiting(reason: str, message: str) -> Json:
    """Return how pods look whose container cannot be made."""
    return {
        "ready": False,
        "phase": "Pending",
        "state": {"state": {"waiting": {"reason": reason, "message": message}}},
    }


def late_probe(draw: Draw, system: System, times: int) -> None:
    """Add the event of readiness probes that were answered too late."""
    asked = system.main["readinessProbe"]["httpGet"]
    url = f"http://10.{draw.number(0, 9)}.0.{draw.number(2, 250)}:{asked['port']}{asked['path']}"
    more = draw.one(("", " (Client.Timeout exceeded while awaiting headers)"))
    said = f'Get "{url}": context deadline exceeded{more}'
    system.event("Unhealthy", f"Readiness probe failed: {said}", times)


def felt_by_all(system: System, felt: str) -> str:
    """Return what users feel: nothing while old pods serve."""
    return "" if any(pod.ready for pod in system.pods) else felt


def pending(system: System, why: str) -> None:
    """Have the rollout get stuck because no node takes its pods."""
    system.stick(ready=False, phase="Pending", state={}, unscheduled=why)
    system.event("FailedScheduling", why, system.draw.number(1, 12))
    system.node_labels = frozenset({("kubernetes.io/os", "linux"), ("kubernetes.io/arch", "amd64")})


def unplaced(
    draw: Draw,
    system: System,
    types: Sequence[str],
    summary: str,
    repairs: Sequence[Repair],
    values: dict[str, Any],
) -> Incident:
    """Return the incident of a rollout whose pods no node takes."""
    del draw
    return Incident(
        system,
        types=types,
        summaries=(
            summary,
            f"[No node takes|The scheduler cannot place] {{pod}}. {summary}",
            "[A pod|The newest pod] of {name} [cannot be placed|finds no node|waits for a node].",
        ),
        terse=("{name} [pending|not scheduled|waits for a node]",),
        astray=(
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
        clues=(
            Clue("Event", "Pod/{pod}", "FailedScheduling: [no node fits|nodes unavailable]"),
            Clue("Text", "scheduler", "[unschedulable|pending for {minutes} min]"),
        ),
        felt=felt_by_all(system, "refused"),
        repairs=repairs,
        useless=(RESTART, SCALE),
        values={**values, "pod": system.pods[-1].name, "minutes": system.draw.number(2, 60)},
    )
