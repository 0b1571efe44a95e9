"""Reads the state of a run: its Job, its pod, and the result that it has written."""

from reme_api.remediation import Run
from reme_kube.protocols import Cluster
from reme_kube.resources import CONFIG_MAPS, JOBS, PODS, Json
from reme_operator.decision.observed import JobState, ObservedRun
from reme_operator.errors import one_line
from reme_operator.steps.cleanup import get_owned
from reme_playbook.execution.result import UnreadableResultError, parse_claim, parse_result
from reme_playbook.snapshot.views import pod

_START_ERRORS = {
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImageInspectError",
    "ImagePullBackOff",
    "InvalidImageName",
    "RunContainerError",
}
"""Reasons for which the kubelet does not start a container."""


async def observe_run(cluster: Cluster, run: Run, remediation_uid: str) -> ObservedRun:
    """Return the state of a run. The Job is read first: a result that it left is then seen too."""
    job = await get_owned(cluster, JOBS, run.namespace, run.name, remediation_uid)
    result_map = await get_owned(
        cluster, CONFIG_MAPS, run.namespace, f"{run.name}-result", remediation_uid
    )
    state, message = _job_state(job)
    if job is not None and run.uid and job["metadata"]["uid"] != run.uid:
        state = JobState.ABSENT  # another Job of this name than the one that was recorded
    if result_map is None:
        return ObservedRun(job=state, message=message)
    data = result_map.get("data") or {}
    try:
        result = parse_result(data)
        started = parse_claim(data) is not None or result is not None
    except UnreadableResultError as error:
        return ObservedRun(job=state, claimed=True, message=one_line(error))
    if result is not None and result.ended:
        return ObservedRun(state, claimed=True, reason=result.reason, message=result.message)
    stuck = ""
    if state is JobState.ACTIVE and not started:
        stuck = await _stuck_pod(cluster, run)
    return ObservedRun(job=state, claimed=started, message=message, stuck=stuck)


async def _stuck_pod(cluster: Cluster, run: Run) -> str:
    """Return why the pod of a run does not start; empty while it may still start."""
    labels = {"batch.kubernetes.io/job-name": run.name}
    for item in await cluster.list_resource(PODS, run.namespace, labels):
        view = pod(item)
        if view.unscheduled:
            return f"it cannot be scheduled: {view.unscheduled}"
        for container in view.containers:
            if container.waiting in _START_ERRORS:
                return f"{container.waiting}: {container.waiting_message}"
    return ""


def _job_state(job: Json | None) -> tuple[JobState, str]:
    if job is None:
        return JobState.ABSENT, ""
    for condition in job.get("status", {}).get("conditions", []):
        if condition.get("status") != "True":
            continue
        message = str(condition.get("message", ""))
        if condition.get("type") == "Complete":
            return JobState.COMPLETE, message
        if condition.get("type") == "Failed":
            overdue = condition.get("reason") == "DeadlineExceeded"
            return (JobState.OVERDUE if overdue else JobState.FAILED), message
    return JobState.ACTIVE, ""
