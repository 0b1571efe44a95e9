"""What there is to say about the workload itself: pods, containers, usage, earlier revisions."""

from collections.abc import Iterator, Mapping
from typing import Any

from reme_model.lines import Line, Weight, fact, normal, quoted, wrong
from reme_model.redact import REDACTED, secret_name, short
from reme_sandbox.live import LiveState, Usage
from reme_sandbox.quantity import cpu_millicores, memory_bytes
from reme_sandbox.templates import FieldChange
from reme_sandbox.views import ContainerState, ContainerView, PodView, template_containers

HIGH_PERCENT = 90
_MOST_CONTAINERS = 3
_MOST_PODS = 3
_MOST_REVISIONS = 2
_MOST_CHANGES = 4
_MIB = 2**20
_NO_IMAGE = frozenset({"ImagePullBackOff", "ErrImagePull", "InvalidImageName"})


def target(live: LiveState) -> Iterator[Line]:
    """Say which workload it is and how many of its pods serve."""
    count = live.replicas
    what = f"{live.target.kind} {live.target.name} in {live.target.namespace}"
    yield fact(f"target: {what}, {count.ready} of {count.desired} replicas ready", Weight.NEEDED)
    if count.desired == 0:
        yield wrong("scaled to 0 replicas", Weight.NEEDED)
    elif count.ready < count.desired:
        yield wrong(f"{count.desired - count.ready} of {count.desired} replicas not ready")
    before = next((r for r in live.revisions if (r.replicas or 0) > count.desired), None)
    if before:
        yield wrong(f"fewer replicas than before, revision {before.number} had {before.replicas}")
    if live.paused:
        yield wrong("the rollout is paused, so that changes do not reach the pods", Weight.NEEDED)


def containers(live: LiveState, first: str | None) -> Iterator[Line]:
    """Say what the containers are and what they use; the one that is blamed comes first."""
    views = sorted(live.containers, key=lambda view: view.name != first)
    for view in views[:_MOST_CONTAINERS]:
        limits = view.resources
        yield fact(
            f"container {view.name}: image {short(view.image, 100)}"
            f", cpu limit {limits.cpu_limit or 'none'}"
            f", memory limit {limits.memory_limit or 'none'}",
            Weight.NEEDED,
        )
        # Of several pods, the one that uses most.
        used = [use for (_, name), use in sorted(live.usage.items()) if name == view.name]
        if used:
            most = Usage(max(u.cpu_millicores for u in used), max(u.memory_bytes for u in used))
            yield from _usage(view, most)


def _usage(view: ContainerView, used: Usage) -> Iterator[Line]:
    limits = view.resources
    cpu = cpu_millicores(limits.cpu_limit) if limits.cpu_limit else 0
    memory = memory_bytes(limits.memory_limit) if limits.memory_limit else 0
    yield _share(f"cpu of {view.name}", used.cpu_millicores, cpu, "m")
    yield _share(f"memory of {view.name}", used.memory_bytes // _MIB, memory // _MIB, "Mi")


def _share(what: str, used: int, limit: int, unit: str) -> Line:
    if not limit:
        return fact(f"{what}: {used}{unit}, without a limit", Weight.USEFUL)
    percent = 100 * used // limit
    if percent >= HIGH_PERCENT:
        return wrong(f"{what} too high, {used}{unit} of {limit}{unit} ({percent}%)")
    return normal(f"{what} {percent}%")


def pods(live: LiveState) -> Iterator[Line]:
    """Say what is wrong with which pods, the worst first."""
    views = [view for view in live.pods if not view.deleting]
    # A pod that does not serve says more than one that once restarted.
    troubles: dict[str, list[str]] = {}
    for view in sorted(views, key=lambda view: view.ready):
        if trouble := _trouble(view):
            troubles.setdefault(trouble, []).append(view.name)
    if views and not troubles:
        yield normal("pods")
    for trouble, names in list(troubles.items())[:_MOST_PODS]:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield wrong(f"pod {names[0]}{more}: {trouble}")
    yield from _causes(live, [state for view in views for state in view.containers])


def _causes(live: LiveState, states: list[ContainerState]) -> Iterator[Line]:
    """Say in plain words what two states of containers mean."""
    killed = {state.name for state in states if state.terminated == "OOMKilled"}
    without_image = {state.name for state in states if state.waiting in _NO_IMAGE}
    before = live.previous_revision
    for container in live.containers:
        limit = container.resources.memory_limit
        if container.name in killed and limit:
            yield wrong(f"{container.name} was killed for more memory than its limit of {limit}")
        if container.name in without_image:
            other = ""
            if before and image_of(before.template, container.name) != container.image:
                other = f", revision {before.number} had another"
            yield wrong(f"the image of {container.name} cannot be pulled{other}")


def image_of(template: Mapping[str, Any], container: str) -> str:
    """Return the image of a container of a pod template."""
    return next((c.image for c in template_containers(template) if c.name == container), "")


def _trouble(view: PodView) -> str:
    if view.unscheduled:
        return f"no node takes it: {quoted(short(view.unscheduled, 120))}"
    said = [text for state in view.containers if (text := _state(state))]
    if said:
        return "; ".join(said[:2])
    return "" if view.ready else f"{view.phase}, not ready"


def _state(state: ContainerState) -> str:
    said = []
    if state.waiting:
        said.append(short(state.waiting, 40))
        if state.waiting_message and state.waiting not in ("CrashLoopBackOff", "PodInitializing"):
            said.append(quoted(short(state.waiting_message, 100)))
    if state.terminated and (state.restarts or not state.ready):
        code = "" if state.exit_code is None else f" with exit code {state.exit_code}"
        said.append(f"last ended: {short(state.terminated, 40)}{code}")
    if state.restarts:
        said.append(f"{state.restarts} restarts")
    return ", ".join(said)


def history(live: LiveState) -> Iterator[Line]:
    """Say how earlier revisions differ from what runs now."""
    earlier = [view for view in live.history if view.changes]
    if not earlier:
        yield fact("no other revision", Weight.USEFUL)
        return
    before = live.previous_revision
    # The one that Rollback would bring back comes first.
    earlier.sort(key=lambda view: before is None or view.number != before.number)
    for place, view in enumerate(earlier[:_MOST_REVISIONS]):
        said = [change(c) for c in view.changes[:_MOST_CHANGES]]
        if len(view.changes) > _MOST_CHANGES:
            said.append(f"{len(view.changes) - _MOST_CHANGES} more")
        which = "previous revision" if place == 0 else "revision"
        weight = Weight.TELLING if place == 0 else Weight.NICE
        yield fact(f"{which} {view.number}: {'; '.join(said)}", weight)


def change(found: FieldChange) -> str:
    """Return what a field was in that revision and is now, without its value if it is secret."""
    path = found.path.removeprefix("spec.").removeprefix("containers")
    path = path.removeprefix("[").replace("].", " ", 1) if path != found.path else path
    if any(secret_name(part) for part in found.path.replace("]", "[").split("[")):
        return f"{short(path, 80)} differs ({REDACTED})"
    return f"{short(path, 80)} {_value(found.after)} (now {_value(found.before)})"


def _value(value: str | None) -> str:
    return "not set" if value is None else short(value, 60)
