"""What tools quote of every workload, whether it is broken or not: starts, pulls, calm metrics.

Without it in the traces, a model would learn that such lines are a sign of health, or of trouble.
So it is with the states of the target's pods: a tool that describes them quotes whatever is there.
"""

from collections.abc import Iterator

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import Clue
from reme_lab.incidents.rng import Draw
from reme_lab.incidents.system import Pod, System

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


def complaints(draw: Draw, system: System, broken: str, port: int) -> list[Clue]:
    """Return what the callers of a broken service log; nothing where nobody calls it.

    They say of it what a healthy caller says of a broken dependency: that alone does not tell
    whose fault it is.
    """
    callers = [n.name for n in system.neighbours if n.calls_target and n.name != broken]
    if not callers:
        return []
    failed = draw.one(("HTTP 500", "HTTP 503", "connection refused", "timed out", "EOF"))
    address = draw.one((f"http://{broken}:{port}/", f"{broken}:{port}", broken))
    texts = (
        f"ERROR call to {address} failed: {failed}",
        f"upstream {broken}: {failed}",
        f"[error] {address} {failed}, giving up",
        f"WARN dependency {broken} is unavailable ({failed})",
    )
    source = f"Pod/{draw.one(callers)}-{names.template_hash(draw)}-{names.pod_suffix(draw)}"
    return [Clue("Log", source, text) for text in draw.some(texts, draw.number(1, 2))]


def errors(draw: Draw, system: System) -> list[Clue]:
    """Return what a workload logs that answers with errors by its own fault."""
    pod = draw.one([pod.name for pod in system.pods] or [system.name])
    source = draw.one((f"Pod/{pod}/{system.container}", f"Pod/{pod}", system.name))
    level = draw.one(("ERROR", "ERROR", "level=error", "FATAL", "[error]"))
    version = system.main["image"].rpartition(":")[2]
    texts = (
        f"{level} internal error on {draw.one(('/', '/list', '/items'))}",
        f"{level} {version}: request failed with status 500",
        f"{level} GET / 500 in {draw.number(3, 90)} ms",
        f"{level} {draw.one(('release', 'build', 'version'))} {version}: unexpected state",
        f"{level} cannot handle request {draw.number(100, 9999)}",
    )
    return [Clue("Log", source, text) for text in draw.some(texts, draw.number(1, 2))]


def states(draw: Draw, system: System) -> list[Clue]:
    """Return what the API says of the target's pods that are not ready, as tools quote it."""
    found: list[Clue] = []
    for pod in draw.some([pod for pod in system.pods if not pod.ready], 2):
        source = f"Pod/{pod.name}"
        found += [Clue("Text", source, text) for text in _of(pod, system.container)]
        if said := pod.state.get("state", {}).get("waiting", {}).get("message", ""):
            times = f" (x{draw.number(2, 9)})" if draw.chance(60) else ""
            found.append(Clue("Event", source, f"Failed{times}: Error: {said}"))
    ready = sum(pod.ready for pod in system.pods)
    if ready < system.replicas:
        text = f"{ready} of {system.replicas} replicas are available"
        found.append(Clue("Text", f"{system.kind}/{system.name}", text))
    return draw.some(found, draw.number(1, 4))


def _of(pod: Pod, container: str) -> Iterator[str]:
    """Yield what is wrong with one pod, as its status has it."""
    waiting = pod.state.get("state", {}).get("waiting", {})
    ended = pod.state.get("lastState", {}).get("terminated", {})
    if pod.unscheduled:
        yield f"pending, Unschedulable: {pod.unscheduled}"
    if waiting:
        said = waiting.get("message", "")
        yield f"container {container} is waiting: {waiting['reason']}" + (
            f": {said}" if said else ""
        )
    if ended:
        yield (
            f"container {container} was {ended['reason']} with exit code {ended['exitCode']}, "
            f"{pod.restarts} restarts"
        )
    if not (pod.unscheduled or waiting or ended):
        yield f"phase {pod.phase}, not ready"
