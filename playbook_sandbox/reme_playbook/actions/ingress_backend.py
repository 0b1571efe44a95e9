"""SetIngressBackend: leads a path of an Ingress to a Service of the target."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from reme_api.actions import ActionName
from reme_api.policy import ActionRule
from reme_playbook.actions.base import Draft, Shorten, targets_of
from reme_playbook.actions.json_patch import (
    JsonPatchAction,
    Operation,
    ParsedOperation,
    position,
)
from reme_playbook.actions.string_types import Host, HttpPath, Port, Position, ServiceName
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot.field_path import FieldValue, Index, Path, Write
from reme_playbook.snapshot.network_rules import backend, read_backend
from reme_playbook.snapshot.reachability import misrouted_paths, ports_of
from reme_playbook.snapshot.snapshot import ClusterSnapshot


class SetIngressBackend(JsonPatchAction):
    """Sets the Service and port to which one path of an Ingress leads."""

    NAME = ActionName.SET_INGRESS_BACKEND
    KINDS = frozenset({"Ingress"})
    BOUNDS = (
        "of a path that leads to a port or Service that does not exist, or led to the target when "
        "it was applied: to a Service of the target, at a port that it has"
    )
    RESTORES = "the earlier backend"
    EXAMPLE: ClassVar[Draft] = {
        "rule": 0,
        "path": 1,
        "host": "shop.example",
        "http_path": "/cart",
        "service": "cart",
        "port": 80,
    }
    EXAMPLE_NAME = "shop"

    action: Literal["SetIngressBackend"] = "SetIngressBackend"
    rule: Position
    path: Position
    host: Host | None = Field(default=None, description="Of that rule; absent if it has none.")
    http_path: HttpPath | None = Field(default=None, description="Of that path, if it has one.")
    service: ServiceName
    port: Port

    def summary(self) -> str:
        where = f"{self.host or ''}{self.http_path or ''}" or "its path"
        return f"Lead {where} of {self.target} to port {self.port} of Service {self.service}"

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        where: Path = ("spec", "rules", Index(self.rule), "http", "paths", Index(self.path))
        return (Write((*where, "backend", "service"), backend(self.service, self.port)),)

    def operations(self) -> list[Operation]:
        rule = f"/spec/rules/{self.rule}"
        path = f"{rule}/http/paths/{self.path}"
        tests = [(f"{rule}/host", self.host), (f"{path}/path", self.http_path)]
        return [
            *({"op": "test", "path": where, "value": value} for where, value in tests if value),
            {
                "op": "replace",
                "path": f"{path}/backend/service",
                "value": backend(self.service, self.port),
            },
        ]

    @classmethod
    def from_operations(cls, tests: list[ParsedOperation], change: ParsedOperation) -> Draft | None:
        match change:
            case (
                "replace",
                ("spec", "rules", rule, "http", "paths", path, "backend", "service"),
                value,
            ):
                places, target = (position(rule), position(path)), read_backend(value)
                if None in places or target is None:
                    return None
                draft = {"action": "SetIngressBackend", "rule": places[0], "path": places[1]}
                draft |= {"service": target[0], "port": target[1]}
                for test in tests:
                    draft["host" if test.path[-1:] == ("host",) else "http_path"] = test.value
                return draft
        return None

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        where = shorten(f"{self.host or ''}{self.http_path or ''}", 60)
        label = f"lead {where} of ingress {self.target.name} to"
        return label, f"{self.service} port {self.port}"

    def field_names(self) -> tuple[str, ...]:
        return (f"{self.host or ''}{self.http_path or '/'}",)

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Reject a path that is not misrouted, and a backend that does not lead to the target."""
        where = (self.rule, self.path)
        view = next(i for i in snapshot.ingresses if i.name == self.target.name)
        path = next((p for p in view.paths if (p.rule, p.path) == where), None)
        if path is None or (path.host, path.http_path) != (self.host or "", self.http_path or ""):
            raise RejectedPlaybookError(
                RejectionRule.NOT_FOUND, f"{self.target} has no such host and path there"
            )
        if (path.service, path.port) == (self.service, self.port):
            raise RejectedPlaybookError(
                RejectionRule.NO_CHANGE, f"this path of {self.target} already leads there"
            )
        misrouted = misrouted_paths(self.target.name, snapshot)
        possible = {(path.rule, path.path): services for path, services in misrouted}
        if where not in possible:
            raise RejectedPlaybookError(
                RejectionRule.NOT_OF_TARGET,
                f"nothing shows that this path of {self.target} should lead to {snapshot.target}",
            )
        service = next((s for s in possible[where] if s.name == self.service), None)
        if service is None or self.port not in ports_of(service):
            raise RejectedPlaybookError(
                RejectionRule.UNKNOWN_VALUE,
                f"Service {self.service} has no such port of {snapshot.target}",
            )

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield the target's Services for every path that is misrouted."""
        for target in targets_of(snapshot, "Ingress"):
            for path, services in misrouted_paths(target.name, snapshot):
                for service in services:
                    for port in ports_of(service)[: len(service.ports)]:
                        yield {
                            "target": target,
                            "action": "SetIngressBackend",
                            "rule": path.rule,
                            "path": path.path,
                            "host": path.host or None,
                            "http_path": path.http_path or None,
                            "service": service.name,
                            "port": port,
                        }

    def inverse(self, before: Mapping[Path, FieldValue]) -> Sequence[Draft]:
        (text,) = before.values()
        service, port = (read_backend(json.loads(str(text))) if text else None) or (None, None)
        return ({**self.model_dump(exclude={"target"}), "service": service, "port": port},)
