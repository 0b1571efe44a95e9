"""What tools quote of every workload, whether it is broken or not: starts, pulls, calm metrics.

Without it in the traces, a model would learn that such lines are a sign of health, or of trouble.
"""

from reme_model.traces import names
from reme_model.traces.draw import Draw
from reme_model.traces.incident import Clue
from reme_model.traces.system import System

MOST = 7


def routine(draw: Draw, system: System, *, healthy: bool) -> list[Clue]:
    """Return some lines about the target and its neighbours that say nothing of a fault.

    How many requests of users failed is no sign where the target is broken: few may pass by it.
    """
    pods = [pod.name for pod in system.pods] or [system.name]
    sets = f"{system.name}-{system.hash}"
    image = system.main["image"]
    events = [
        (draw.one(pods), f"Pulled: Container image '{image}' already present on machine"),
        (draw.one(pods), f"Created: Created container: {system.container}"),
        (draw.one(pods), f"Started: Started container {system.container}"),
        (draw.one(pods), f"Scheduled: Successfully assigned {system.namespace}/{draw.one(pods)}"),
        (sets, f"SuccessfulCreate: Created pod: {draw.one(pods)}"),
        (sets, f"SuccessfulDelete: Deleted pod: {system.name}-{names.pod_suffix(draw)}"),
        (draw.one(pods), f"Killing: Stopping container {system.container}"),
        (
            system.name,
            f"ScalingReplicaSet (x{draw.number(2, 4)}): Scaled down replica set {sets} from 1 to 0",
        ),
    ]
    asked = draw.number(10, 400)
    failed = 0 if healthy else draw.one((0, 0, 0, draw.number(1, 9), asked))
    users = draw.one(("ingress", "users", "gateway", "edge"))
    other = draw.one([n.name for n in system.neighbours] or [system.name])
    others = [
        ("Metric", users, f"{failed} of {asked} requests failed; median {draw.number(9, 300)} ms"),
        ("Metric", f"Pod/{other}", f"cpu {draw.number(1, 60)}m of 200m, memory 30Mi of 128Mi"),
        ("Text", f"Pod/{other}", draw.one(("phase Running, ready", "Running and ready"))),
        *(
            ("Text", f"Pod/{pod.name}", "phase Running, ready")
            for pod in draw.some([pod for pod in system.pods if pod.ready], 1)
        ),
        ("Log", f"Pod/{other}", f"WARN slow request /: {draw.number(300, 2500)} ms"),
    ]
    found = [Clue("Event", source, text) for source, text in events]
    found += [Clue(kind, source, text) for kind, source, text in others]
    return draw.some(found, draw.number(2, MOST))
