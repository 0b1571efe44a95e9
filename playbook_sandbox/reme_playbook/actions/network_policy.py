"""AllowIngress and AllowEgress: add one narrow rule to a NetworkPolicy that cuts the target off."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from reme_api.actions import ActionName
from reme_api.policy import ActionRule
from reme_playbook.actions.base import Draft, InternalAction, Shorten, targets_of
from reme_playbook.actions.json_patch import (
    JsonPatchAction,
    Operation,
    ParsedOperation,
    position,
)
from reme_playbook.actions.string_types import Labels, Port, Position
from reme_playbook.errors import RejectedPlaybookError, RejectionRule, quote
from reme_playbook.snapshot import earlier_values
from reme_playbook.snapshot.field_path import FieldValue, Index, Path, Write
from reme_playbook.snapshot.network_rules import (
    DNS_PORT,
    egress_rule,
    ingress_rule,
    read_egress_rule,
    read_ingress_rule,
)
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.ownership import distinguishing_labels
from reme_playbook.snapshot.reachability import egress_allowed, ingress_allowed
from reme_playbook.snapshot.related_views import NetworkPolicyView
from reme_playbook.snapshot.shared_services import selected_workloads
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_MAX_PEERS = 4


class NetworkPolicyRule(JsonPatchAction):
    """One rule of a NetworkPolicy, at a position in `spec.ingress` or `spec.egress`."""

    KINDS = frozenset({"NetworkPolicy"})
    DIRECTION: ClassVar[Literal["ingress", "egress"]]
    EXAMPLE_NAME = "cart"

    position: Position

    @abstractmethod
    def rule(self) -> Mapping[str, Any]:
        """Return the rule as the API stores it."""

    @classmethod
    @abstractmethod
    def read_rule(cls, rule: Any) -> Draft | None:
        """Return labels and port of such a rule; None if it is another one."""

    @property
    def _where(self) -> str:
        return f"/spec/{self.DIRECTION}/{self.position}"

    @classmethod
    def _rule_draft(cls, place: str, rule: Any) -> Draft | None:
        fields = cls.read_rule(rule)
        if fields is None or position(place) is None:
            return None
        return {"action": cls.__name__, "position": position(place), **fields}


class AddedRule(NetworkPolicyRule):
    """A rule that is added behind the others."""

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        return (Write(("spec", self.DIRECTION, Index(self.position)), self.rule()),)

    def operations(self) -> list[Operation]:
        if self.position:
            return [{"op": "add", "path": self._where, "value": self.rule()}]
        return [{"op": "add", "path": f"/spec/{self.DIRECTION}", "value": [self.rule()]}]

    @classmethod
    def from_operations(cls, tests: list[ParsedOperation], change: ParsedOperation) -> Draft | None:
        match change:
            case ("add", ("spec", cls.DIRECTION), list(rules)):
                return cls._rule_draft("0", rules[0] if len(rules) == 1 else None)
            case ("add", ("spec", cls.DIRECTION, place), rule):
                return cls._rule_draft(place, rule)
        return None

    def field_names(self) -> tuple[str, ...]:
        port = getattr(self, "port", None)
        return ("dns" if port is None else str(port),)

    def inverse(self, before: Mapping[Path, FieldValue]) -> Sequence[Draft]:
        name = type(self).__name__.replace("Allow", "Withdraw")
        return ({**self.model_dump(exclude={"target"}), "action": name},)

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Reject a rule that is not the last, or that the target does not need."""
        view = next(p for p in snapshot.network_policies if p.name == self.target.name)
        existing = view.ingress if self.DIRECTION == "ingress" else view.egress
        if existing is None:
            raise RejectedPlaybookError(
                RejectionRule.NO_CHANGE, f"{self.target} does not restrict {self.DIRECTION}"
            )
        if self.position != len(existing):
            raise RejectedPlaybookError(
                RejectionRule.VALUE,
                f"a new rule of {self.target} belongs behind its {len(existing)} rules",
            )
        self.check_peer(snapshot)

    @abstractmethod
    def check_peer(self, snapshot: ClusterSnapshot) -> None:
        """Reject a peer or port that the target does not need, or already reaches."""


class WithdrawnRule(InternalAction, NetworkPolicyRule):
    """A rule that is removed again."""

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        return (Write(("spec", self.DIRECTION, Index(self.position)), None),)

    def operations(self) -> list[Operation]:
        return [
            {"op": "test", "path": self._where, "value": self.rule()},
            {"op": "remove", "path": self._where},
        ]

    @classmethod
    def from_operations(cls, tests: list[ParsedOperation], change: ParsedOperation) -> Draft | None:
        match change:
            case ("remove", ("spec", cls.DIRECTION, place), _) if len(tests) == 1:
                return cls._rule_draft(place, tests[0].value)
        return None


class IngressRule(NetworkPolicyRule):
    """Lets pods with these labels connect to this port."""

    DIRECTION = "ingress"

    labels: Labels
    port: Port

    def rule(self) -> Mapping[str, Any]:
        return ingress_rule(self.labels, self.port)

    @classmethod
    def read_rule(cls, rule: Any) -> Draft | None:
        return read_ingress_rule(rule)

    def _description(self) -> str:
        peers = ",".join(f"{key}={value}" for key, value in self.labels.items())
        return f"pods with {peers} reach port {self.port} by {self.target}"


class EgressRule(NetworkPolicyRule):
    """Lets the pods connect to pods with these labels, or to the cluster's DNS without any."""

    DIRECTION = "egress"

    labels: Labels | None = None
    port: Port | None = None

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.labels is None) != (self.port is None):
            raise ValueError("labels and port must be set together; a rule without both allows DNS")
        return self

    def rule(self) -> Mapping[str, Any]:
        return egress_rule(self.labels, self.port)

    @classmethod
    def read_rule(cls, rule: Any) -> Draft | None:
        return read_egress_rule(rule)

    def _description(self) -> str:
        if self.labels is None:
            return f"the cluster's DNS be asked by {self.target}"
        peers = ",".join(f"{key}={value}" for key, value in self.labels.items())
        return f"port {self.port} of pods with {peers} be reached by {self.target}"


class AllowIngress(AddedRule, IngressRule):
    """Adds a rule to a NetworkPolicy that lets pods of the namespace in, at one port."""

    NAME = ActionName.ALLOW_INGRESS
    BOUNDS = (
        "one more rule, behind the others, in a policy that selects the target: for the pods of "
        "one workload of the namespace that are not let in, at a port that the target declares"
    )
    RESTORES = "that rule is removed"
    EXAMPLE: ClassVar[Draft] = {"position": 0, "labels": {"app": "front"}, "port": 8080}

    action: Literal["AllowIngress"] = "AllowIngress"

    def summary(self) -> str:
        return f"Let {self._description()}"[:1024]

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        peers = _label_text(self.labels, shorten)
        return f"let in past {self.target.name}", f"{peers} at port {self.port}"

    def check_peer(self, snapshot: ClusterSnapshot) -> None:
        """Reject labels of more than one workload, and a port that nothing declares."""
        peers = selected_workloads(self.labels, snapshot)
        if len(peers) != 1:
            raise RejectedPlaybookError(
                RejectionRule.UNKNOWN_VALUE,
                f"the labels select {len(peers)} other workloads, not one",
            )
        if self.port not in earlier_values.target_ports(snapshot):
            raise RejectedPlaybookError(
                RejectionRule.UNKNOWN_VALUE,
                f"no container of {snapshot.target} declares port {quote(self.port)}",
            )
        policies = snapshot.network_policies
        if ingress_allowed(policies, snapshot.neighbours[peers[0]], self.port):
            raise RejectedPlaybookError(
                RejectionRule.NO_CHANGE, f"{peers[0]} already reaches {snapshot.target}"
            )

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield a rule for each caller, or else each neighbour, that is not let in."""
        neighbours = snapshot.neighbours
        callers = [key for key in snapshot.callers if key in neighbours] or sorted(neighbours)
        ports = [port for container in snapshot.containers for port in container.ports]
        for target, view in _policies(snapshot):
            if view.ingress is None:
                continue
            refused = [
                (caller, port.number)
                for caller in callers
                for port in ports
                if not ingress_allowed(snapshot.network_policies, neighbours[caller], port.number)
            ]
            for caller, port in refused[:_MAX_PEERS]:
                yield {
                    "target": target,
                    "action": "AllowIngress",
                    "position": len(view.ingress),
                    "labels": distinguishing_labels(snapshot, caller),
                    "port": port,
                }


class WithdrawIngress(WithdrawnRule, IngressRule):
    """Removes a rule that AllowIngress added."""

    NAME = ActionName.ALLOW_INGRESS

    action: Literal["WithdrawIngress"] = "WithdrawIngress"

    def summary(self) -> str:
        return f"No longer let {self._description()}"[:1024]


class AllowEgress(AddedRule, EgressRule):
    """Adds a rule to a NetworkPolicy that lets its pods reach others, or the cluster's DNS."""

    NAME = ActionName.ALLOW_EGRESS
    BOUNDS = (
        "one more rule, behind the others, in a policy that selects the target: to the pods of a "
        "Service that the target names, at a port that it leads to; or to the cluster's DNS"
    )
    RESTORES = "that rule is removed"
    EXAMPLE: ClassVar[Draft] = {"position": 0, "labels": {"app": "stock"}, "port": 8080}

    action: Literal["AllowEgress"] = "AllowEgress"

    def summary(self) -> str:
        return f"Let {self._description()}"[:1024]

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        label = f"let out past {self.target.name}"
        if self.labels is None:
            return label, "to the DNS"
        return label, f"to {_label_text(self.labels, shorten)} at port {self.port}"

    def check_peer(self, snapshot: ClusterSnapshot) -> None:
        """Reject a peer that the target does not name."""
        policies = snapshot.network_policies
        if self.labels is None:
            if egress_allowed(policies, None, DNS_PORT):
                raise RejectedPlaybookError(
                    RejectionRule.NO_CHANGE, f"{snapshot.target} already reaches the DNS"
                )
            return
        callee = next(
            (c for c in snapshot.callees if c.labels == self.labels and self.port in c.ports), None
        )
        if callee is None or self.port is None:
            raise RejectedPlaybookError(
                RejectionRule.UNKNOWN_VALUE,
                f"{snapshot.target} names no Service that leads to this port",
            )
        if egress_allowed(policies, callee, self.port):
            raise RejectedPlaybookError(
                RejectionRule.NO_CHANGE,
                f"{snapshot.target} already reaches Service {callee.service}",
            )

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield a rule for the DNS, and one for each Service that is not reached."""
        for target, view in _policies(snapshot):
            if view.egress is None:
                continue
            head = {"target": target, "action": "AllowEgress", "position": len(view.egress)}
            yield head
            for callee in snapshot.callees[:_MAX_PEERS]:
                for port in callee.ports:
                    if not egress_allowed(snapshot.network_policies, callee, port):
                        yield {**head, "labels": dict(callee.labels), "port": port}


class WithdrawEgress(WithdrawnRule, EgressRule):
    """Removes a rule that AllowEgress added."""

    NAME = ActionName.ALLOW_EGRESS

    action: Literal["WithdrawEgress"] = "WithdrawEgress"

    def summary(self) -> str:
        return f"No longer let {self._description()}"[:1024]


def _policies(snapshot: ClusterSnapshot) -> Iterator[tuple[ObjectRef, NetworkPolicyView]]:
    for target in targets_of(snapshot, "NetworkPolicy"):
        view = next((p for p in snapshot.network_policies if p.name == target.name), None)
        if view is not None:
            yield target, view


def _label_text(labels: Mapping[str, str], shorten: Shorten) -> str:
    return shorten(",".join(f"{key}={value}" for key, value in labels.items()), 80)
