"""What tools quote of every workload, whether it is broken or not: starts, pulls, calm metrics.

Without it in the traces, a model would learn that such lines are a sign of health, or of trouble.
So it is with the states of the target's pods: a tool that describes them quotes whatever is there.
"""

from collections.abc import Iterator

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import EvidenceText
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import Pod, System

MOST = 7


def routine_evidence(rng: Rng, system: System, *, healthy: bool) -> list[EvidenceText]:
    """Return some lines about the target and its neighbours that say nothing of a fault.

    How many requests of users failed is no sign where the target is broken: few may pass by it.
    """
    pods = [pod.name for pod in system.pods] or [system.name]
    sets = f"{system.name}-{system.hash}"
    image = system.main_container["image"]
    events = [
        (rng.choice(pods), f"Pulled: Container image '{image}' already present on machine"),
        (rng.choice(pods), f"Created: Created container: {system.container}"),
        (rng.choice(pods), f"Started: Started container {system.container}"),
        (
            rng.choice(pods),
            f"Scheduled: Successfully assigned {system.namespace}/{rng.choice(pods)}",
        ),
        (sets, f"SuccessfulCreate: Created pod: {rng.choice(pods)}"),
        (sets, f"SuccessfulDelete: Deleted pod: {system.name}-{names.pod_suffix(rng)}"),
        (rng.choice(pods), f"Killing: Stopping container {system.container}"),
        (
            system.name,
            f"ScalingReplicaSet (x{rng.integer(2, 4)}): Scaled down replica set {sets} from 1 to 0",
        ),
    ]
    asked = rng.integer(10, 400)
    failed = 0 if healthy else rng.choice((0, 0, 0, rng.integer(1, 9), asked))
    users = rng.choice(("ingress", "users", "gateway", "edge"))
    other = rng.choice([n.name for n in system.neighbours] or [system.name])
    others = [
        ("Metric", users, f"{failed} of {asked} requests failed; median {rng.integer(9, 300)} ms"),
        ("Metric", f"Pod/{other}", f"cpu {rng.integer(1, 60)}m of 200m, memory 30Mi of 128Mi"),
        ("Text", f"Pod/{other}", rng.choice(("phase Running, ready", "Running and ready"))),
        *(
            ("Text", f"Pod/{pod.name}", "phase Running, ready")
            for pod in rng.sample([pod for pod in system.pods if pod.ready], 1)
        ),
        ("Log", f"Pod/{other}", f"WARN slow request /: {rng.integer(300, 2500)} ms"),
    ]
    found = [EvidenceText("Event", source, text) for source, text in events]
    found += [EvidenceText(kind, source, text) for kind, source, text in others]
    return rng.sample(found, rng.integer(2, MOST))


def caller_logs(rng: Rng, system: System, broken: str, port: int) -> list[EvidenceText]:
    """Return what the callers of a broken service log; nothing where nobody calls it.

    They say of it what a healthy caller says of a broken dependency: that alone does not tell
    whose fault it is.
    """
    callers = [n.name for n in system.neighbours if n.calls_target and n.name != broken]
    if not callers:
        return []
    failed = rng.choice(("HTTP 500", "HTTP 503", "connection refused", "timed out", "EOF"))
    address = rng.choice((f"http://{broken}:{port}/", f"{broken}:{port}", broken))
    texts = (
        f"ERROR call to {address} failed: {failed}",
        f"upstream {broken}: {failed}",
        f"[error] {address} {failed}, giving up",
        f"WARN dependency {broken} is unavailable ({failed})",
    )
    source = f"Pod/{rng.choice(callers)}-{names.template_hash(rng)}-{names.pod_suffix(rng)}"
    return [EvidenceText("Log", source, text) for text in rng.sample(texts, rng.integer(1, 2))]


def error_logs(rng: Rng, system: System) -> list[EvidenceText]:
    """Return what a workload logs that answers with errors by its own fault."""
    pod = rng.choice([pod.name for pod in system.pods] or [system.name])
    source = rng.choice((f"Pod/{pod}/{system.container}", f"Pod/{pod}", system.name))
    level = rng.choice(("ERROR", "ERROR", "level=error", "FATAL", "[error]"))
    version = system.main_container["image"].rpartition(":")[2]
    texts = (
        f"{level} internal error on {rng.choice(('/', '/list', '/items'))}",
        f"{level} {version}: request failed with status 500",
        f"{level} GET / 500 in {rng.integer(3, 90)} ms",
        f"{level} {rng.choice(('release', 'build', 'version'))} {version}: unexpected state",
        f"{level} cannot handle request {rng.integer(100, 9999)}",
    )
    return [EvidenceText("Log", source, text) for text in rng.sample(texts, rng.integer(1, 2))]


def pod_states(rng: Rng, system: System) -> list[EvidenceText]:
    """Return what the API says of the target's pods that are not ready, as tools quote it."""
    found: list[EvidenceText] = []
    for pod in rng.sample([pod for pod in system.pods if not pod.ready], 2):
        source = f"Pod/{pod.name}"
        found += [EvidenceText("Text", source, text) for text in _of(pod, system.container)]
        if said := pod.state.get("state", {}).get("waiting", {}).get("message", ""):
            times = f" (x{rng.integer(2, 9)})" if rng.chance(60) else ""
            found.append(EvidenceText("Event", source, f"Failed{times}: Error: {said}"))
    ready = sum(pod.ready for pod in system.pods)
    if ready < system.replicas:
        text = f"{ready} of {system.replicas} replicas are available"
        found.append(EvidenceText("Text", f"{system.kind}/{system.name}", text))
    return rng.sample(found, rng.integer(1, 4))


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
