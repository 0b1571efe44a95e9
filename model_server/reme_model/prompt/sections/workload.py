"""Describes the workload: replicas, containers, usage, pods and earlier revisions."""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from reme_model.prompt.redact import REDACTED, excerpt, secret_name, short, short_pair
from reme_model.prompt.sections.lines import Line, Tone, Weight, fact, normal, quoted, wrong
from reme_model.prompt.sections.usage import limits_of, usage_lines
from reme_playbook.snapshot import earlier_values, unstructured
from reme_playbook.snapshot.object_diff import FieldChange
from reme_playbook.snapshot.pod_template import digest
from reme_playbook.snapshot.sensitive import sensitive_command
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.surge_pods import waiting_surge
from reme_playbook.snapshot.views import (
    ContainerState,
    ContainerView,
    PodView,
    template_containers,
)

_MOST_CONTAINERS = 3
_MOST_PODS = 3
_MOST_REVISIONS = 1
_MOST_CHANGES = 4
_LONGEST_VALUE = 60
# What the scheduler adds about preemption says nothing about the cause.
_PREEMPTION = re.compile(r"\s*(?:no new claims to deallocate|preemption:).*\Z", re.DOTALL)
_NO_IMAGE = frozenset({"ImagePullBackOff", "ErrImagePull", "InvalidImageName"})


def target_lines(live: ClusterSnapshot) -> Iterator[Line]:
    """Yield the target, its replicas, and whether its rollout is paused."""
    count = live.replicas
    key = f"{live.target.kind} {live.target.name} in {live.target.namespace}"
    yield fact(f"target: {key}, {count.ready} of {count.desired} replicas ready", Weight.NEEDED)
    if count.desired == 0:
        yield wrong("scaled to 0 replicas", Weight.NEEDED)
    elif count.ready < count.desired:
        yield wrong(f"{count.desired - count.ready} of {count.desired} replicas not ready")
    before = next((n for n in earlier_values.replica_counts(live) if n > count.desired), None)
    if before:
        yield wrong(f"fewer replicas than before: there were {before}", Weight.NEEDED)
    if live.paused:
        yield wrong("the rollout is paused, so that changes do not reach the pods", Weight.NEEDED)


def container_lines(
    live: ClusterSnapshot, first: str | None, healthy: Mapping[str, int] = MappingProxyType({})
) -> Iterator[Line]:
    """Yield the containers and their usage; the reported container comes first.

    `healthy` is the percentage of a limit that counts as healthy, by resource.
    """
    views = sorted(live.containers, key=lambda view: view.name != first)
    for place, view in enumerate(views[:_MOST_CONTAINERS]):
        used = {pod: use for (pod, name), use in sorted(live.usage.items()) if name == view.name}
        usage = list(usage_lines(live, view, used, healthy)) if used else []
        # Of the other containers, mention only those with a problem.
        if place and not any(line.tone is Tone.WRONG for line in usage) and _is_healthy(live, view):
            continue
        limits = view.resources
        yield fact(
            f"container {view.name}: image {short(_image(view.image), 80)}"
            f", cpu limit {limits.cpu_limit or 'none'}"
            f", memory limit {limits.memory_limit or 'none'}",
            Weight.NEEDED,
        )
        yield from usage


def _is_healthy(live: ClusterSnapshot, view: ContainerView) -> bool:
    states = [state for pod in live.pods for state in pod.containers if state.name == view.name]
    return not any(state.waiting or state.terminated for state in states)


def _image(name: str) -> str:
    """Return the image without its registry and path."""
    return name.rpartition("/")[2]


def pod_lines(live: ClusterSnapshot) -> Iterator[Line]:
    """Yield the pods with problems, unready ones first."""
    views = [view for view in live.pods if not view.deleting]
    # An unready pod says more than one that restarted once.
    troubles: dict[str, list[str]] = {}
    for view in sorted(views, key=lambda view: view.ready):
        if trouble := _pod_problem(view):
            troubles.setdefault(trouble, []).append(view.name)
    if views and not troubles:
        yield normal("pods")
    for trouble, names in list(troubles.items())[:_MOST_PODS]:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield wrong(f"pod {names[0]}{more}: {trouble}")
    if surge := waiting_surge(live):
        text = f"the new pod cannot be placed while the old one holds {surge.place}"
        yield wrong(text, Weight.NEEDED)
    yield from _unknown_images(live)
    yield from _causes(live, views)


def _unknown_images(live: ClusterSnapshot) -> Iterator[Line]:
    """Yield a pod that runs an image which no revision has."""
    known_images = {
        (c.name, c.image)
        for template in (live.template, *live.other_templates)
        for c in template_containers(template)
    }
    pods = sorted((key.name, pod) for key, pod in live.objects.items() if key.kind == "Pod")
    unknown = [
        (name, image)
        for name, pod in pods
        for c in unstructured.items(pod, "spec", "containers")
        if (image := unstructured.text(c, "image"))
        and (unstructured.text(c, "name"), image) not in known_images
        and live.container(unstructured.text(c, "name"))
    ]
    for name, image in unknown[:1]:
        yield wrong(f"pod {name} runs image {excerpt(image, 120)}, which no revision has")


def _causes(live: ClusterSnapshot, pods: Sequence[PodView]) -> Iterator[Line]:
    """Yield explanations of OOM kills and of images that cannot be pulled."""
    states = [(pod, state) for pod in pods for state in pod.containers]
    killed = {s.name: pod for pod, s in states if s.terminated == "OOMKilled"}
    without_image = {state.name for _, state in states if state.waiting in _NO_IMAGE}
    before = live.previous_revision
    for container in live.containers:
        pod = killed.get(container.name)
        # A pod of an older template has its own limit.
        limit = limits_of(live, pod.name, container).memory_limit if pod else None
        if limit:
            yield wrong(f"{container.name} was killed for more memory than its limit of {limit}")
        if container.name in without_image:
            other = ""
            if before and image_of(before.template, container.name) != container.image:
                other = f", revision {before.number} had another"
            yield wrong(f"the image of {container.name} cannot be pulled{other}")


def image_of(template: Mapping[str, Any], container: str) -> str:
    """Return the image of a container in a pod template."""
    return next((c.image for c in template_containers(template) if c.name == container), "")


def _pod_problem(view: PodView) -> str:
    if view.unscheduled:
        reasons = _PREEMPTION.sub("", view.unscheduled)
        return f"no node takes it: {quoted(excerpt(reasons, 160))}"
    if view.initializing:
        return _initializing(view.initializing)
    problems = [text for state in view.containers if (text := _state(state))]
    if problems:
        return "; ".join(problems[:2])
    return "" if view.ready else f"{short(view.phase, 40)}, not ready"


def _initializing(state: ContainerState) -> str:
    """Return why the containers of the pod do not start yet, as kubectl calls it."""
    name = short(state.name, 63)
    if state.running and not state.restarts:
        return f"PodInitializing, init container {name} still runs"
    reason = state.waiting or state.terminated or "running again"
    parts = [f"Init:{short(reason, 40)} of init container {name}"]
    if state.waiting_message and state.waiting != "CrashLoopBackOff":
        parts.append(quoted(excerpt(state.waiting_message, 140)))
    if state.terminated:
        code = "" if state.exit_code is None else f" with exit code {state.exit_code}"
        parts.append(f"last ended: {short(state.terminated, 40)}{code}")
    if state.message:
        parts.append(quoted(excerpt(state.message, 140)))
    if state.restarts:
        parts.append(f"{state.restarts} restarts")
    return ", ".join(parts)


def _state(state: ContainerState) -> str:
    parts = []
    if state.waiting:
        parts.append(short(state.waiting, 40))
        if state.waiting_message and state.waiting not in ("CrashLoopBackOff", "PodInitializing"):
            parts.append(quoted(excerpt(state.waiting_message, 140)))
    if state.terminated and (state.restarts or not state.ready):
        code = "" if state.exit_code is None else f" with exit code {state.exit_code}"
        parts.append(f"last ended: {short(state.terminated, 40)}{code}")
    if state.restarts:
        parts.append(f"{state.restarts} restarts")
    return ", ".join(parts)


def revision_lines(live: ClusterSnapshot) -> Iterator[Line]:
    """Yield how earlier revisions differ from the current one; abandoned ones are called so."""
    earlier = [view for view in live.history if view.changes]
    if not earlier:
        yield fact("no other revision", Weight.USEFUL)
        return
    before = live.previous_revision
    # The revision that Rollback would restore comes first.
    earlier.sort(key=lambda view: before is None or view.number != before.number)
    abandoned = {r.number for r in live.revisions if digest(r.template) in live.abandoned}
    for place, view in enumerate(earlier[:_MOST_REVISIONS]):
        texts = describe_changes(_without_secrets(view.changes, live))
        shown = texts[:_MOST_CHANGES]
        if len(texts) > _MOST_CHANGES:
            shown.append(f"{len(texts) - _MOST_CHANGES} more")
        is_way_back = before is not None and view.number == before.number
        label = "previous revision" if is_way_back else "revision"
        label = "abandoned revision" if view.number in abandoned else label
        weight = Weight.TELLING if place == 0 else Weight.NICE
        yield fact(f"{label} {view.number}: {'; '.join(shown)}", weight)


def _without_secrets(changes: Sequence[FieldChange], live: ClusterSnapshot) -> list[FieldChange]:
    """Return the changes without the values of commands that contain a secret.

    In `--password x` the second word does not look like a secret by itself.
    """
    hidden = tuple(
        f"spec.containers[{c.name}].{part}"
        for template in (live.template, *live.other_templates)
        for c in template_containers(template)
        if sensitive_command((*c.command, *c.args))
        for part in ("command", "args")
    )
    return [
        change._replace(before=change.before and REDACTED, after=change.after and REDACTED)
        if change.path.startswith(hidden)
        else change
        for change in changes
    ]


def describe_changes(field_changes: Sequence[FieldChange]) -> list[str]:
    """Return a text per change; a part that one revision lacks as a whole is one text."""
    groups: dict[str, list[FieldChange]] = {}
    for change in field_changes:
        groups.setdefault(_part(change.path), []).append(change)
    texts: list[str] = []
    for part, part_changes in groups.items():
        is_whole_part = len(part_changes) > 1 and "[" not in part.rpartition("]")[2]
        values = [c.before for c in part_changes if c.before is not None]
        if is_whole_part and all(c.after is None for c in part_changes) and not _is_secret(part):
            current = short(" ".join(values), 60)
            texts.append(f"{short(_readable(part), 60)} not set (now {current})")
        elif is_whole_part and len(part_changes) > 2 and not values and not _is_secret(part):
            texts.append(f"{short(_readable(part), 60)} set (now not)")
        else:
            texts += [describe_change(c) for c in part_changes]
    return texts


def _part(path: str) -> str:
    """Return the part that a field belongs to: a probe, an init container, an affinity."""
    head = "spec.containers["
    if path.startswith(head):
        name, _, rest = path.removeprefix(head).partition("].")
        return f"{head}{name}].{rest.partition('.')[0]}"
    return ".".join(path.split(".")[:2])


def _readable(path: str) -> str:
    """Return a path in readable form, with a container's name only."""
    plain = path.removeprefix("spec.").removeprefix("containers")
    return plain.removeprefix("[").replace("].", " ", 1) if plain != path else plain


def _is_secret(path: str) -> bool:
    return any(secret_name(part) for part in path.replace("]", "[").split("["))


def describe_change(field_change: FieldChange) -> str:
    """Return the value in that revision and the current one; secret values are left out."""
    path = short(_readable(field_change.path), 80)
    if _is_secret(field_change.path):
        return f"{path} differs ({REDACTED})"
    before, after = field_change.before, field_change.after
    if (
        field_change.path.endswith(".image")
        and before
        and after
        and _image(before) != _image(after)
    ):
        before, after = _image(before), _image(after)
    if before is None or after is None:
        return f"{path} {_value(after)} (now {_value(before)})"
    shown_after, shown_before = short_pair(after, before, _LONGEST_VALUE)
    return f"{path} {shown_after} (now {shown_before})"


def _value(value: str | None) -> str:
    return "not set" if value is None else short(value, _LONGEST_VALUE)
