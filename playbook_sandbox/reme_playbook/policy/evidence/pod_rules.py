"""Where a new pod would be no better than those that exist: Restart, DeletePod, Scale."""

from reme_api.actions import ActionName
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.registry import Action
from reme_playbook.actions.scale import Scale
from reme_playbook.policy.evidence.facts import Evidence
from reme_playbook.policy.evidence.pods import PodFacts
from reme_playbook.policy.evidence.rule import evidence_rule
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.stuck_pods import stuck_pods

_OFTEN = 2
_NEW_PODS = (ActionName.RESTART, ActionName.DELETE_POD, ActionName.SCALE)


@evidence_rule(
    "QuotaFull",
    *_NEW_PODS,
    reason="A quota refuses new pods of the target. A pod that is replaced may not come back, and"
    " fewer replicas only hide that pods are missing.",
)
def quota_full(action: Action, evidence: Evidence) -> str:
    """Refuse to make pods against a quota that is used up."""
    del action
    for name, amounts in evidence.full_quotas:
        return f"quota {name} is used up ({', '.join(amounts)}), so that no pod can be created"
    return ""


@evidence_rule(
    "NoPlace",
    *_NEW_PODS,
    reason="No node takes pods of the present template. A further pod, or one in the place of"
    " another, waits as well.",
)
def no_place(action: Action, evidence: Evidence) -> str:
    """Refuse to make pods that no node would take."""
    unplaced = evidence.unplaced
    if not unplaced or (isinstance(action, Scale) and not grows(action, evidence)):
        return ""
    if isinstance(action, DeletePod):
        pod = evidence.pod(action.target.name)
        if pod is None or pod not in unplaced:
            return ""
    return f"no node takes pod {unplaced[0].view.name}, and none would take another one like it"


@evidence_rule(
    "FailsFromStart",
    *_NEW_PODS,
    reason="No pod of the present template has ever been ready. A new pod is made from the same"
    " template and fails in the same way.",
)
def fails_from_start(action: Action, evidence: Evidence) -> str:
    """Refuse to make further pods of a template that has not worked yet."""
    failing = evidence.failing_from_start
    if not failing:
        return ""
    if isinstance(action, DeletePod):
        pod = evidence.pod(action.target.name)
        if pod is None or not pod.present or _must_be_deleted(pod, evidence.snapshot):
            return ""
    elif isinstance(action, Scale):
        if not grows(action, evidence):
            return ""
    elif evidence.config_may_be_repaired:
        return ""  # a restart lets the pods read the repaired value
    return (
        f"no pod of the present template has been ready since it came ({failing[0].failure()}),"
        " and a new one would be the same"
    )


def _must_be_deleted(pod: PodFacts, snapshot: ClusterSnapshot) -> bool:
    """Return whether an ordered StatefulSet waits for the pod, and no rollback deletes it."""
    return snapshot.previous_revision is None and pod.view.name in stuck_pods(snapshot).names


@evidence_rule(
    "KubeletRestartsIt",
    ActionName.RESTART,
    ActionName.DELETE_POD,
    reason="All pods of the present template were killed for memory, and the kubelet has started"
    " them again at least twice. Another start has the same limit.",
)
def kubelet_restarts_it(action: Action, evidence: Evidence) -> str:
    """Refuse to start again what the kubelet starts again and again."""
    pods = evidence.present_pods
    if not pods or not all(pod.killed and pod.view.restarts >= _OFTEN for pod in pods):
        return ""
    if isinstance(action, DeletePod):
        deleted = evidence.pod(action.target.name)
        if deleted is None or not deleted.present or _must_be_deleted(deleted, evidence.snapshot):
            return ""
    name, restarts = min(pods[0].killed), pods[0].view.restarts
    return f"container {name} was killed for memory, and has been started again {restarts} times"


@evidence_rule(
    "HealthyPod",
    ActionName.DELETE_POD,
    reason="The pod is ready, and nothing tells it from the others: no restart, no warning, no"
    " unusual usage, and the report does not name it. The pod in its place would be the same, and"
    " until then one pod less serves.",
)
def healthy_pod(action: Action, evidence: Evidence) -> str:
    """Refuse to delete a pod that is as good as any other."""
    pod = evidence.pod(action.target.name)
    if pod is None or not pod.view.ready or len(evidence.pods) == 1 or evidence.differs(pod):
        return ""
    if not pod.present and _on_delete(evidence.snapshot):
        return ""  # it takes the present template only when somebody deletes it
    return f"pod {pod.view.name} is ready, and nothing tells it from the other pods"


def _on_delete(snapshot: ClusterSnapshot) -> bool:
    return unstructured.text(snapshot.workload, "spec", "updateStrategy", "type") == "OnDelete"


@evidence_rule(
    "MorePodsCrash",
    ActionName.SCALE,
    reason="Pods of the present template crash or are killed for memory, and further pods do the"
    " same. More pods help only against load, which shows as CPU near its limit; an earlier number"
    " of replicas is allowed.",
)
def more_pods_crash(action: Action, evidence: Evidence) -> str:
    """Refuse to add pods to those that crash."""
    if not isinstance(action, Scale) or not grows(action, evidence) or evidence.short_of_cpu:
        return ""
    for pod in evidence.present_pods:
        if pod.killed or pod.crashing:
            return f"pod {pod.view.name} fails ({pod.failure()}), and further ones would as well"
    return ""


def grows(action: Scale, evidence: Evidence) -> bool:
    """Return whether there would be more pods than now, and not as many as before."""
    now = evidence.snapshot.replicas.desired
    return action.replicas > now > 0 and action.replicas not in evidence.earlier_replicas
