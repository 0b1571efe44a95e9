"""Where a probe of the kubelet is not what keeps pods from being ready: PatchProbe."""

from reme_api.actions import ActionName
from reme_playbook.actions.probe import PatchProbe
from reme_playbook.actions.registry import Action
from reme_playbook.policy.evidence.facts import Evidence
from reme_playbook.policy.evidence.rule import evidence_rule
from reme_playbook.policy.evidence.symptoms import Symptom
from reme_playbook.snapshot.probe_failures import ProbeFailure, port_number
from reme_playbook.snapshot.views import ContainerView

_PROBE_MAY_HELP = {Symptom.MISSING_PATH, Symptom.UNKNOWN}


@evidence_rule(
    "ProbePasses",
    ActionName.PATCH_PROBE,
    reason="This probe does not fail: another one does, or no pod is kept from being ready by a"
    " probe.",
)
def probe_passes(action: Action, evidence: Evidence) -> str:
    """Refuse to change a probe that does not fail."""
    if not isinstance(action, PatchProbe) or not evidence.pods or _failure(action, evidence):
        return ""
    if evidence.probe_failures:
        failing = evidence.probe_failures[0]
        return f"the {failing.kind} probe of {failing.container} fails, and this one does not"
    if evidence.symptoms:
        if _PROBE_MAY_HELP & set(evidence.symptoms.values()):
            return ""
        pod, symptom = next(iter(evidence.symptoms.items()))
        return f"no probe keeps pod {pod} from being ready: {symptom}"
    if all(pod.view.ready and not pod.view.restarts for pod in evidence.pods):
        return "no probe fails: all pods are ready, without a restart"
    return ""


@evidence_rule(
    "ProbeFailsOtherwise",
    ActionName.PATCH_PROBE,
    reason="How the probe fails shows what may be wrong with it: a status that says that the path"
    " does not exist is one of the path, a refused connection one of the port, silence one of the"
    " time. A readiness probe that is refused needs no patience: the pod is ready once it answers.",
)
def probe_fails_otherwise(action: Action, evidence: Evidence) -> str:
    """Refuse to change a field of a probe that its failure does not point to."""
    if not isinstance(action, PatchProbe):
        return ""
    failure = _failure(action, evidence)
    view = evidence.snapshot.container(action.container)
    if failure is None or view is None:
        return ""
    if action.port is not None and not _asks_another_port(action, view):
        return f"the {action.probe} probe asks port {action.port} already"
    changed = "path" if action.path is not None else "port" if action.port is not None else "time"
    if changed in _points_to(failure, view):
        return ""
    return (
        f"the {action.probe} probe fails with {failure.problem}, which is not one of the {changed}"
    )


def _failure(action: PatchProbe, evidence: Evidence) -> ProbeFailure | None:
    place = (action.container, action.probe)
    return next((f for f in evidence.probe_failures if (f.container, f.kind) == place), None)


def _points_to(failure: ProbeFailure, view: ContainerView) -> set[str]:
    """Return the parts of a probe that may be wrong when it fails so."""
    other_ports = {"port"} if len(view.ports) > 1 else set()
    if failure.asks_nothing_that_exists:
        return {"path"} | other_ports
    if failure.status is not None:
        return {"path", "time"} | other_ports
    if failure.problem == "connection refused":
        return {"port"} if failure.kind == "readiness" else {"port", "time"}
    if failure.problem == "no answer in time":
        return {"path", "time"}
    return {"path", "port", "time"}


def _asks_another_port(action: PatchProbe, view: ContainerView) -> bool:
    probe = view.probes.get(action.probe)
    if probe is None or action.port is None:
        return True
    number = next((p.number for p in view.ports if p.name == action.port), action.port)
    return number != port_number(view, probe)
