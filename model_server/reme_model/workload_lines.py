"""What there is to say about the workload itself: pods, containers, usage, earlier revisions."""

from collections.abc import Iterator

from reme_model.lines import Line, Weight, quoted
from reme_model.redact import REDACTED, secret_name, short
from reme_sandbox.live import LiveState, Usage
from reme_sandbox.quantity import cpu_millicores, memory_bytes
from reme_sandbox.templates import FieldChange
from reme_sandbox.views import ContainerState, ContainerView, PodView

HIGH_PERCENT = 90
_MOST_CONTAINERS = 3
_MOST_PODS = 3
_MOST_REVISIONS = 2
_MOST_CHANGES = 4
_MIB = 2**20


def target(live: LiveState) -> Iterator[Line]:
    """Say which workload it is and how many of its pods serve."""
    count = live.replicas
    wrong = []
    if count.desired == 0:
        wrong.append("scaled to 0")
    elif count.ready < count.desired:
        wrong.append(f"{count.desired - count.ready} missing")
    before = next((r for r in live.revisions if (r.replicas or 0) > count.desired), None)
    if before:
        wrong.append(f"revision {before.number} had {before.replicas}")
    what = f"{live.target.kind} {live.target.name} in {live.target.namespace}"
    verdict = f"not normal: {', '.join(wrong)}" if wrong else "normal"
    yield Line(
        Weight.NEEDED,
        f"target: {what}, {count.ready} of {count.desired} replicas ready ({verdict})",
    )
    if live.paused:
        yield Line(Weight.NEEDED, "rollout: paused (not normal), changes do not reach the pods")


def containers(live: LiveState, first: str | None) -> Iterator[Line]:
    """Say what the containers are and what they use; the one that is blamed comes first."""
    views = sorted(live.containers, key=lambda view: view.name != first)
    for view in views[:_MOST_CONTAINERS]:
        limits = view.resources
        ports = ", ".join(str(port.number) for port in view.ports[:4])
        yield Line(
            Weight.NEEDED,
            f"container {view.name}: image {short(view.image, 100)}"
            f", cpu limit {limits.cpu_limit or 'none'}"
            f", memory limit {limits.memory_limit or 'none'}"
            + (f", port {ports}" if ports else ""),
        )
        used = [use for (_, name), use in sorted(live.usage.items()) if name == view.name]
        if used:
            yield Line(Weight.TELLING, _usage(view, used))


def _usage(view: ContainerView, used: list[Usage]) -> str:
    """Return the usage of the pod that uses most."""
    cpu = max(use.cpu_millicores for use in used)
    memory = max(use.memory_bytes for use in used)
    limits = view.resources
    most_cpu = cpu_millicores(limits.cpu_limit) if limits.cpu_limit else 0
    most_memory = memory_bytes(limits.memory_limit) if limits.memory_limit else 0
    return (
        f"usage of {view.name}: cpu {_share(cpu, most_cpu, 'm', 1)}"
        f", memory {_share(memory, most_memory, 'Mi', _MIB)}"
    )


def _share(used: int, limit: int, unit: str, size: int) -> str:
    if not limit:
        return f"{used // size}{unit}, no limit"
    percent = 100 * used // limit
    verdict = "too high" if percent >= HIGH_PERCENT else "normal"
    return f"{used // size}{unit} of {limit // size}{unit} ({percent}%, {verdict})"


def pods(live: LiveState) -> Iterator[Line]:
    """Say what is wrong with which pods, the worst first."""
    views = [view for view in live.pods if not view.deleting]
    # A pod that does not serve says more than one that once restarted.
    wrong: dict[str, list[str]] = {}
    for view in sorted(views, key=lambda view: view.ready):
        if trouble := _trouble(view):
            wrong.setdefault(trouble, []).append(view.name)
    if views and not wrong:
        yield Line(Weight.USEFUL, f"pods: all {len(views)} ready, no restarts (normal)")
    for trouble, names in list(wrong.items())[:_MOST_PODS]:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield Line(Weight.TELLING, f"pod {names[0]}{more}: {trouble}")


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
        yield Line(Weight.USEFUL, "history: no other revision")
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
        yield Line(weight, f"{which} {view.number}: {'; '.join(said)}")


def change(found: FieldChange) -> str:
    """Return what a field was in that revision and is now, without its value if it is secret."""
    path = found.path.removeprefix("spec.").removeprefix("containers")
    path = path.removeprefix("[").replace("].", " ", 1) if path != found.path else path
    if any(secret_name(part) for part in found.path.replace("]", "[").split("[")):
        return f"{short(path, 80)} differs ({REDACTED})"
    return f"{short(path, 80)} {_value(found.after)} (now {_value(found.before)})"


def _value(value: str | None) -> str:
    return "not set" if value is None else short(value, 60)
