"""PatchServiceSelector and PatchServicePort: where a Service leads."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from reme_api.actions import ActionName
from reme_api.policy import ActionRule
from reme_playbook.actions.base import Action, Draft, PatchPart, Shorten, by_name, targets_of
from reme_playbook.actions.string_types import LabelKey, LabelValue, Port, PortNumber
from reme_playbook.errors import RejectedPlaybookError, RejectionRule, quote
from reme_playbook.snapshot import earlier_values, unstructured
from reme_playbook.snapshot.field_path import Entry, FieldValue, Path, Write
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.shared_services import (
    narrowing_labels,
    selected_workloads,
    unintended_workloads,
)
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.views import ServiceView, selects


class PatchServiceSelector(Action):
    """Merges labels into the selector of a Service; a null removes a label."""

    NAME = ActionName.PATCH_SERVICE_SELECTOR
    KINDS = frozenset({"Service"})
    ACCEPTS_NULL = True
    BOUNDS = (
        "on a Service of the target that selects none of its pods; afterwards it selects them and "
        "no others; or labels are added to one that also selects another component by mistake"
    )
    RESTORES = "the earlier labels"
    EXAMPLE: ClassVar[Draft] = {"selector": {"app": "cart"}}

    action: Literal["PatchServiceSelector"] = "PatchServiceSelector"
    selector: Annotated[dict[LabelKey, LabelValue | None], Field(min_length=1, max_length=16)]

    def summary(self) -> str:
        return f"Set {', '.join(self.selector)} in the selector of {self.target}"[:1024]

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        return tuple(
            Write(("spec", "selector", Entry(key)), value) for key, value in self.selector.items()
        )

    @classmethod
    def from_patch(cls, path: Path, value: Any) -> PatchPart | None:
        match path:
            case ("spec", "selector", Entry(key=str(key))):
                draft = {"action": "PatchServiceSelector", "selector": {key: value}}
                return PatchPart(path[:2], draft)
        return None

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        return f"set selector of service {self.target.name} to", label_text(self.selector)

    def field_names(self) -> tuple[str, ...]:
        return tuple(self.selector)

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Reject it unless the Service selects the target's pods, and only them, afterwards."""
        service = snapshot.service(self.target.name)
        current = service.selector if service else {}
        new = _merged(current, self.selector)
        if new == current:
            raise RejectedPlaybookError(
                RejectionRule.NO_CHANGE, f"{self.target} already has this selector"
            )
        if service is not None and service.selects_target:
            self._check_narrowing(service, snapshot)
        elif service is None:
            raise RejectedPlaybookError(RejectionRule.NOT_FOUND, f"{self.target} does not exist")
        if not selects(new, snapshot.pod_labels):
            raise RejectedPlaybookError(
                RejectionRule.UNKNOWN_VALUE,
                f"{self.target} would not select the pods of {snapshot.target}",
            )
        others = selected_workloads(new, snapshot)
        if others:
            raise RejectedPlaybookError(
                RejectionRule.NOT_OF_TARGET,
                f"{self.target} would also select the pods of {others[0]}",
            )

    def _check_narrowing(self, service: ServiceView, snapshot: ClusterSnapshot) -> None:
        """Reject a change of a selector that selects the pods, unless it only keeps others away."""
        if not selected_workloads(service.selector, snapshot):
            raise RejectedPlaybookError(
                RejectionRule.NO_CHANGE, f"{self.target} already selects the pods"
            )
        if any(key in service.selector or value is None for key, value in self.selector.items()):
            raise RejectedPlaybookError(
                RejectionRule.BOUNDS,
                f"{self.target} selects the pods: labels may only be added, to keep others away",
            )

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield selectors with the labels of the target's pods, and of no other workload's."""
        labels = snapshot.pod_labels
        for target, service in _services(snapshot):
            if service.selects_target:
                added = narrowing_labels(service, snapshot)
                if added and unintended_workloads(service, snapshot):
                    yield {"target": target, "action": "PatchServiceSelector", "selector": added}
                continue
            patch: dict[str, str | None] = {
                key: labels.get(key)
                for key, value in service.selector.items()
                if labels.get(key) != value
            }
            if not _merged(service.selector, patch):
                # None of its labels is one of the pods': use those that select the pods.
                patch |= unstructured.strings(snapshot.workload, "spec", "selector", "matchLabels")
            new = replace(service, selector=_merged(service.selector, patch))
            if selected_workloads(new.selector, snapshot):
                patch |= narrowing_labels(new, snapshot)
            if patch:
                yield {"target": target, "action": "PatchServiceSelector", "selector": patch}

    def inverse(self, before: Mapping[Path, FieldValue]) -> Sequence[Draft]:
        selector = by_name(self.selector, self, before)
        return ({"action": "PatchServiceSelector", "selector": selector},)


class PatchServicePort(Action):
    """Sets where one port of a Service leads to."""

    NAME = ActionName.PATCH_SERVICE_PORT
    KINDS = frozenset({"Service"})
    BOUNDS = "to a port that a container of the target declares"
    RESTORES = "the earlier value"
    EXAMPLE: ClassVar[Draft] = {"port": 80, "target_port": 8080}

    action: Literal["PatchServicePort"] = "PatchServicePort"
    port: PortNumber
    target_port: Port

    def summary(self) -> str:
        return f"Lead port {self.port} of {self.target} to port {self.target_port} of its pods"

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        path: Path = ("spec", "ports", Entry(self.port, "port"), "targetPort")
        return (Write(path, self.target_port),)

    @classmethod
    def from_patch(cls, path: Path, value: Any) -> PatchPart | None:
        match path:
            case ("spec", "ports", Entry(key=port), "targetPort"):
                draft = {"action": "PatchServicePort", "port": port, "target_port": value}
                return PatchPart(path, draft)
        return None

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        return f"lead port {self.port} of service {self.target.name} to", str(self.target_port)

    def field_names(self) -> tuple[str, ...]:
        return (str(self.port),)

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Reject a port that the Service does not have, or that no container declares."""
        service = snapshot.service(self.target.name)
        if service and selected_workloads(service.selector, snapshot):
            raise RejectedPlaybookError(
                RejectionRule.NOT_OF_TARGET, f"{self.target} also leads to pods of other workloads"
            )
        ports = [p for p in (service.ports if service else ()) if p.port == self.port]
        if len(ports) != 1:
            # Patches identify the ports of a Service by their number alone.
            raise RejectedPlaybookError(
                RejectionRule.NOT_FOUND, f"{self.target} has {len(ports)} ports {self.port}, not 1"
            )
        if ports[0].target_port == self.target_port:
            raise RejectedPlaybookError(
                RejectionRule.NO_CHANGE, f"port {self.port} already leads there"
            )
        if self.target_port not in earlier_values.target_ports(snapshot):
            raise RejectedPlaybookError(
                RejectionRule.UNKNOWN_VALUE,
                f"no container of {snapshot.target} declares port {quote(self.target_port)}",
            )

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield declared ports for each port that leads to none of them."""
        declared = earlier_values.target_ports(snapshot)
        for target, service in _services(snapshot):
            for port in service.ports:
                if port.target_port in declared:
                    continue
                head = {"target": target, "action": "PatchServicePort", "port": port.port}
                for target_port in declared:
                    yield {**head, "target_port": target_port}

    def inverse(self, before: Mapping[Path, FieldValue]) -> Sequence[Draft]:
        (port,) = before.values()
        return ({"action": "PatchServicePort", "port": self.port, "target_port": port},)


def label_text(labels: Mapping[str, str | None]) -> str:
    """Return labels on one line; one that is removed reads `no key`."""
    return ",".join(f"no {k}" if v is None else f"{k}={v}" for k, v in labels.items())


def _merged(current: Mapping[str, str], patch: Mapping[str, str | None]) -> dict[str, str]:
    both = {**current, **patch}
    return {key: value for key, value in both.items() if value is not None}


def _services(snapshot: ClusterSnapshot) -> Iterator[tuple[ObjectRef, ServiceView]]:
    for target in targets_of(snapshot, "Service"):
        service = snapshot.service(target.name)
        if service is not None:
            yield target, service
