"""The state of the target at one moment, for the record. Pure."""

from reme_api.remediation import TargetState
from reme_operator.steps.context import clip
from reme_playbook.snapshot.pod_template import digest
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.views import PodView

_MAX_CONTAINERS = 16
_CRASHES = "CrashLoopBackOff"
_OOM_KILLED = "OOMKilled"


def target_state(snapshot: ClusterSnapshot) -> TargetState:
    """Return the state of the target of a snapshot."""
    replicas = snapshot.replicas
    killed = {
        state.name
        for pod in snapshot.pods
        for state in pod.containers
        if state.terminated == _OOM_KILLED
    }
    return TargetState(
        template_digest=digest(snapshot.template),
        desired=max(0, replicas.desired),
        current=max(0, replicas.current),
        updated=max(0, replicas.updated),
        available=max(0, replicas.available),
        crashing=sum(is_crashing(pod) for pod in snapshot.pods if not pod.deleting),
        killed_for_memory=[clip(name, 256) for name in sorted(killed)[:_MAX_CONTAINERS]],
    )


def is_crashing(pod: PodView) -> bool:
    """Return whether a container of the pod ends again and again."""
    return any(
        state.waiting == _CRASHES or (state.restarts > 0 and not state.ready)
        for state in pod.containers
    )
