"""Whether a workload's newest template is rolled out and available, as `kubectl rollout status`."""

from reme_kube.protocols import Json, Sample


def rollout_sample(workload: Json, min_replicas: int) -> Sample:
    """Return whether the newest template is everywhere and every replica is available."""
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
    rolling = (spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
    held_back = int(rolling.get("partition") or 0) if kind == "StatefulSet" else 0
    newest = max(0, desired - held_back)
    value = f"{available}/{desired} available, {updated} updated"
    generation = int(workload["metadata"].get("generation") or 0)
    why = ""
    if int(status.get("observedGeneration") or 0) < generation:
        why = "the newest template has not been looked at yet"
    elif desired < min_replicas:
        why = f"{desired} replicas are wanted, {min_replicas} would be healthy"
    elif updated < newest:
        why = f"{updated} of {newest} replicas have the newest template"
    elif kind == "Deployment" and int(status.get("replicas") or 0) > updated:
        why = "replicas of an older template are still there"
    elif available < desired:
        why = f"{available} of {desired} replicas are available"
    return Sample(not why, value, f"{kind} {workload['metadata']['name']}: {why}" if why else "")
