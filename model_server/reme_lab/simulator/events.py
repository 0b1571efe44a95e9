"""Recent events of the controllers, the scheduler and the kubelets."""

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
    """Return the events about a workload and its pods, those of the newest pod last."""
    world = network.world
    lines: list[EventLine] = []
    if key in world.creation_errors:
        lines.append(_creation_failed(world, key))
    for pod, status in zip(world.pods.get(key, ()), network.pod_statuses(key), strict=True):
        lines += _pod_events(world, pod, status)
    return tuple(lines)


def _creation_failed(world: World, key: ObjectRef) -> EventLine:
    message = f"Error creating: {world.creation_errors[key]}"
    if key.kind == "Deployment":
        name = f"{key.name}-{template_hash(world.objects[key]['spec']['template'])}"
        return EventLine("ReplicaSet", name, "FailedCreate", message, 12, True, 20)
    return EventLine(key.kind, key.name, "FailedCreate", message, 12, True, 20)


def _pod_events(world: World, pod: Pod, status: PodStatus) -> Iterator[EventLine]:
    age = world.clock - pod.created
    is_new = age < _NEW_SECONDS

    def event(reason: str, message: str, count: int, seconds: int, *, warning: bool) -> EventLine:
        return EventLine("Pod", pod.name, reason, message, max(1, count), warning, seconds)

    if not pod.node:
        yield event("FailedScheduling", pod.unschedulable, age // 60 + 1, 15, warning=True)
        return
    if is_new:
        message = f"Successfully assigned {pod.owner.namespace}/{pod.name} to {pod.node}"
        yield event("Scheduled", message, 1, age, warning=False)
    image = next(
        (c.get("image", "") for c in pod.template.get("spec", {}).get("containers", ())), ""
    )
    if status.init:
        return
    if status.waiting in _NO_IMAGE:
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
    elif status.waiting == "CreateContainerConfigError":
        yield event("Failed", f"Error: {status.message}", 2 + age // 15, 10, warning=True)
    elif status.ended:
        yield from _restart_events(world, pod, status, event)
    if status.failing_probe:
        kind = status.failing_probe.capitalize()
        yield event(
            "Unhealthy",
            f"{kind} probe failed: {status.probe_message}",
            3 + age // 10,
            8,
            warning=True,
        )


def _restart_events(
    world: World, pod: Pod, status: PodStatus, event: object
) -> Iterator[EventLine]:
    assert callable(event), "the maker of events of this pod"
    count = restarts_of(pod, status, world.clock)
    serving = world.program(pod.owner).container or _first_container(pod)
    if status.failing_probe:
        yield event(
            "Killing",
            f"Container {serving} failed {status.failing_probe} probe, will be restarted",
            count,
            25,
            warning=False,
        )
    if status.waiting == "CrashLoopBackOff":
        yield event(
            "BackOff",
            f"Back-off restarting failed container {serving} in pod {pod.name}",
            count * 3,
            12,
            warning=True,
        )


def _first_container(pod: Pod) -> str:
    containers = pod.template.get("spec", {}).get("containers") or [{}]
    return str(containers[0].get("name", ""))
