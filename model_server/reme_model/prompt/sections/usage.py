"""Describes what the containers use, held against the limits that each pod has."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from reme_model.prompt.sections.lines import Line, Weight, fact, normal, wrong
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.quantity import cpu_millicores, memory_bytes
from reme_playbook.snapshot.snapshot import ClusterSnapshot, Usage
from reme_playbook.snapshot.views import ContainerView, Resources, template_containers

HIGH_PERCENT = 90
_MIB = 2**20


class _Amount(NamedTuple):
    """What one pod uses, and its own limit; 0 means no limit."""

    used: int
    limit: int

    @property
    def percent(self) -> int:
        """The percentage of the limit; 0 without one."""
        return 100 * self.used // self.limit if self.limit else 0


def usage_lines(
    live: ClusterSnapshot,
    view: ContainerView,
    used: Mapping[str, Usage],
    healthy: Mapping[str, int],
) -> Iterator[Line]:
    """Yield the usage of a container, held against the limits that each pod has.

    While a template with other limits rolls out, older pods still have theirs.
    """
    limits = {pod: limits_of(live, pod, view) for pod in used}
    cpu = {
        pod: _Amount(use.cpu_millicores, cpu_millicores(limits[pod].cpu_limit or "0"))
        for pod, use in used.items()
    }
    threshold = min(HIGH_PERCENT, healthy.get("cpu", HIGH_PERCENT))
    yield _share(f"cpu of {view.name}", cpu, "m", threshold)
    memory = {
        pod: _Amount(
            use.memory_bytes // _MIB, memory_bytes(limits[pod].memory_limit or "0") // _MIB
        )
        for pod, use in used.items()
    }
    threshold = min(HIGH_PERCENT, healthy.get("memory", HIGH_PERCENT))
    yield _share(f"memory of {view.name}", memory, "Mi", threshold)


def limits_of(live: ClusterSnapshot, pod: str, view: ContainerView) -> Resources:
    """Return limits and requests of the container in that pod, as far as it is known."""
    manifest = live.objects.get(ObjectRef("Pod", live.target.namespace, pod), {})
    own = (c for c in template_containers(manifest) if c.name == view.name)
    return next((c.resources for c in own), view.resources)


def _share(label: str, by_pod: Mapping[str, _Amount], unit: str, threshold: int) -> Line:
    """Return the line about the usage of a limit; of several pods, by the highest share."""
    pod, amount = max(by_pod.items(), key=lambda pair: (pair[1].percent, pair[1].used))
    if not amount.limit:
        return fact(f"{label}: {amount.used}{unit}, without a limit", Weight.USEFUL)
    if amount.percent < threshold:
        return normal(f"{label} {amount.percent}%")
    location = ""
    if len(by_pod) > 1:
        high = sum(other.percent >= threshold for other in by_pod.values())
        # Whether one pod or all pods are affected matters.
        location = f" in pod {pod} alone" if high == 1 else f" in {high} of {len(by_pod)} pods"
    shown = f"{amount.used}{unit} of {amount.limit}{unit} ({amount.percent}%)"
    return wrong(f"{label} too high{location}, {shown}")
