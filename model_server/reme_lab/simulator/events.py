"""The events that a world's controllers, scheduler and kubelets would have written of late."""

from collections.abc import Iterator

from reme_lab.simulator.api_objects import restarts_of
from reme_lab.simulator.network import Network
from reme_lab.simulator.pod_status import PodStatus
from reme_lab.simulator.revisions import template_hash
from reme_lab.simulator.world import Pod, World
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import EventLine

_NO_IMAGE = frozenset({"ImagePullBackOff", "ErrImagePull"})
_NEW_SECONDS = 600


def events(network: Network, key: ObjectRef) -> tuple[EventLine, ...]:
    """Return the events about a workload and its pods, those of the newest pods last."""
    world = network.world
    found: list[EventLine] = []
    if key in world.creation_errors:
        found.append(_refused(world, key))
    for pod, life in zip(world.pods.get(key, ()), network.pod_statuses(key), strict=True):
        found += _of_pod(world, pod, life)
    return tuple(found)


def _refused(world: World, key: ObjectRef) -> EventLine:
    message = f"Error creating: {world.creation_errors[key]}"
    if key.kind == "Deployment":
        name = f"{key.name}-{template_hash(world.objects[key]['spec']['template'])}"
        return EventLine("ReplicaSet", name, "FailedCreate", message, 12, True, 20)
    return EventLine(key.kind, key.name, "FailedCreate", message, 12, True, 20)


def _of_pod(world: World, pod: Pod, life: PodStatus) -> Iterator[EventLine]:
    age = world.clock - pod.created
    fresh = age < _NEW_SECONDS

    def event(reason: str, message: str, count: int, seconds: int, *, warning: bool) -> EventLine:
        return EventLine("Pod", pod.name, reason, message, max(1, count), warning, seconds)

    if not pod.node:
        yield event("FailedScheduling", pod.unschedulable, age // 60 + 1, 15, warning=True)
        return
    if fresh:
        where = f"Successfully assigned {pod.owner.namespace}/{pod.name} to {pod.node}"
        yield event("Scheduled", where, 1, age, warning=False)
    image = next(
        (c.get("image", "") for c in pod.template.get("spec", {}).get("containers", ())), ""
    )
    if life.init:
        return
    if life.waiting in _NO_IMAGE:
        missing = next(
            (
                str(c.get("image"))
                for c in pod.template["spec"]["containers"]
                if c.get("image") in world.ground_truth.missing_images
            ),
            image,
        )
        count = 2 + age // 90
        yield event(
            "Failed",
            f'Failed to pull image "{missing}": rpc error: code = NotFound desc = failed to pull '
            f'and unpack image "{missing}": not found',
            count,
            40,
            warning=True,
        )
        yield event("BackOff", f'Back-off pulling image "{missing}"', count * 3, 15, warning=False)
    elif life.waiting == "CreateContainerConfigError":
        yield event("Failed", f"Error: {life.message}", 2 + age // 15, 10, warning=True)
    elif life.ended:
        yield from _ended(world, pod, life, event)
    if life.refused:
        kind = life.refused.capitalize()
        yield event("Unhealthy", f"{kind} probe failed: {life.why}", 3 + age // 10, 8, warning=True)


def _ended(world: World, pod: Pod, life: PodStatus, event: object) -> Iterator[EventLine]:
    assert callable(event), "the maker of events of this pod"
    count = restarts_of(pod, life, world.clock)
    serving = world.program(pod.owner).container or _first(pod)
    if life.refused:
        yield event(
            "Killing",
            f"Container {serving} failed {life.refused} probe, will be restarted",
            count,
            25,
            warning=False,
        )
    if life.waiting == "CrashLoopBackOff":
        yield event(
            "BackOff",
            f"Back-off restarting failed container {serving} in pod {pod.name}",
            count * 3,
            12,
            warning=True,
        )


def _first(pod: Pod) -> str:
    containers = pod.template.get("spec", {}).get("containers") or [{}]
    return str(containers[0].get("name", ""))
