"""Rollout probe: whether the newest template is rolled out, as `kubectl rollout status` says."""

from reme_kube.resources import Json
from reme_operator.probes.sample import Sample


def rollout_sample(workload: Json, min_replicas: int) -> Sample:
    """Return whether every replica has the newest template and is available."""
    kind, spec = workload["kind"], workload.get("spec") or {}
    status = workload.get("status") or {}
    if kind == "DaemonSet":
        desired = int(status.get("desiredNumberScheduled") or 0)
        updated = int(status.get("updatedNumberScheduled") or 0)
        available = int(status.get("numberAvailable") or 0)
    else:
        desired = int(spec.get("replicas", 1))
        updated = int(status.get("updatedReplicas") or 0)
        available = int(status.get("availableReplicas") or 0)
    rolling_update = (spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
    partition = int(rolling_update.get("partition") or 0) if kind == "StatefulSet" else 0
    to_update = max(0, desired - partition)
    generation = int(workload["metadata"].get("generation") or 0)
    problem = ""
    if int(status.get("observedGeneration") or 0) < generation:
        problem = "the newest template has not been looked at yet"
    elif desired < min_replicas:
        problem = f"{desired} replicas are wanted, {min_replicas} would be healthy"
    elif updated < to_update:
        problem = f"{updated} of {to_update} replicas have the newest template"
    elif kind == "Deployment" and int(status.get("replicas") or 0) > updated:
        problem = "replicas of an older template are still there"
    elif available < desired:
        problem = f"{available} of {desired} replicas are available"
    value = f"{available}/{desired} available, {updated} updated"
    message = f"{kind} {workload['metadata']['name']}: {problem}" if problem else ""
    return Sample(not problem, value, message)
