"""Evidence that says nothing about the fault: starts, image pulls, ordinary metrics.

Diagnosis tools quote such lines of every workload. Without them in the incidents, a model would
take them for a sign of health or of trouble. The same holds for the states of pods.
"""

from collections.abc import Iterator

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import EvidenceText
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import Pod, System

MAX_LINES = 7


def routine_evidence(rng: Rng, system: System, *, healthy: bool) -> list[EvidenceText]:
    """Return lines about the target and its neighbours that are unrelated to the fault.

    The number of failed requests is random if the target is broken: little traffic may use it.
    """
    pods = [pod.name for pod in system.pods] or [system.name]
    replica_set = f"{system.name}-{system.hash}"
    image = system.main_container["image"]
    events = [
        (rng.choice(pods), f"Pulled: Container image '{image}' already present on machine"),
        (rng.choice(pods), f"Created: Created container: {system.container}"),
        (rng.choice(pods), f"Started: Started container {system.container}"),
        (
            rng.choice(pods),
            f"Scheduled: Successfully assigned {system.namespace}/{rng.choice(pods)}",
        ),
        (replica_set, f"SuccessfulCreate: Created pod: {rng.choice(pods)}"),
        (replica_set, f"SuccessfulDelete: Deleted pod: {system.name}-{names.pod_suffix(rng)}"),
        (rng.choice(pods), f"Killing: Stopping container {system.container}"),
        (
            system.name,
            (
                f"ScalingReplicaSet (x{rng.integer(2, 4)}): "
                f"Scaled down replica set {replica_set} from 1 to 0"
            ),
        ),
    ]
    total = rng.integer(10, 400)
    failed = 0 if healthy else rng.choice((0, 0, 0, rng.integer(1, 9), total))
    users = rng.choice(("ingress", "users", "gateway", "edge"))
    other = rng.choice([n.name for n in system.neighbours] or [system.name])
    others = [
        ("Metric", users, f"{failed} of {total} requests failed; median {rng.integer(9, 300)} ms"),
        ("Metric", f"Pod/{other}", f"cpu {rng.integer(1, 60)}m of 200m, memory 30Mi of 128Mi"),
        ("Text", f"Pod/{other}", rng.choice(("phase Running, ready", "Running and ready"))),
        *(
            ("Text", f"Pod/{pod.name}", "phase Running, ready")
            for pod in rng.sample([pod for pod in system.pods if pod.ready], 1)
        ),
        ("Log", f"Pod/{other}", f"WARN slow request /: {rng.integer(300, 2500)} ms"),
    ]
    evidence = [EvidenceText("Event", source, text) for source, text in events]
    evidence += [EvidenceText(kind, source, text) for kind, source, text in others]
    return rng.sample(evidence, rng.integer(2, MAX_LINES))


def caller_logs(rng: Rng, system: System, broken: str, port: int) -> list[EvidenceText]:
    """Return what the callers of a broken Service log; empty if it has no callers.

    A healthy caller of any broken dependency logs the same, so the lines do not tell whose fault it
    is.
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
    """Return the log lines of a workload that answers with errors."""
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
    """Return the API's description of the target's unready pods, as tools quote it."""
    evidence: list[EvidenceText] = []
    for pod in rng.sample([pod for pod in system.pods if not pod.ready], 2):
        source = f"Pod/{pod.name}"
        evidence += [
            EvidenceText("Text", source, text) for text in _pod_problems(pod, system.container)
        ]
        if message := pod.state.get("state", {}).get("waiting", {}).get("message", ""):
            times = f" (x{rng.integer(2, 9)})" if rng.chance(60) else ""
            evidence.append(EvidenceText("Event", source, f"Failed{times}: Error: {message}"))
    ready = sum(pod.ready for pod in system.pods)
    if ready < system.replicas:
        text = f"{ready} of {system.replicas} replicas are available"
        evidence.append(EvidenceText("Text", f"{system.kind}/{system.name}", text))
    return rng.sample(evidence, rng.integer(1, 4))


def _pod_problems(pod: Pod, container: str) -> Iterator[str]:
    """Yield what is wrong with one pod according to its status."""
    waiting = pod.state.get("state", {}).get("waiting", {})
    terminated = pod.state.get("lastState", {}).get("terminated", {})
    if pod.unscheduled:
        yield f"pending, Unschedulable: {pod.unscheduled}"
    if waiting:
        message = waiting.get("message", "")
        yield f"container {container} is waiting: {waiting['reason']}" + (
            f": {message}" if message else ""
        )
    if terminated:
        yield (
            f"container {container} was {terminated['reason']} "
            f"with exit code {terminated['exitCode']}, {pod.restarts} restarts"
        )
    if not (pod.unscheduled or waiting or terminated):
        yield f"phase {pod.phase}, not ready"
