"""Actions on how traffic gets to a workload, and from it: Ingresses and NetworkPolicies.

The lists of both have no keys to merge by, so their entries are named by their place. What stands
there is tested in the same patch that changes it.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from reme_api.actions import ActionName
from reme_playbook.actions.base import ActionBase
from reme_playbook.actions.string_types import Host, HttpPath, Labels, Port, ServiceName

Place = Annotated[int, Field(strict=True, ge=0, le=31)]


class SetIngressBackend(ActionBase):
    """Sets the Service and port to which one path of an Ingress leads."""

    NAME = ActionName.SET_INGRESS_BACKEND
    KINDS = frozenset({"Ingress"})

    action: Literal["SetIngressBackend"] = "SetIngressBackend"
    rule: Place
    path: Place
    host: Host | None = Field(default=None, description="Of that rule; absent where it has none.")
    http_path: HttpPath | None = Field(default=None, description="Of that path, if it has one.")
    service: ServiceName
    port: Port

    def summary(self) -> str:
        """Return one line for people."""
        where = f"{self.host or ''}{self.http_path or ''}" or "its path"
        return f"Lead {where} of {self.target} to port {self.port} of Service {self.service}"


class _Ingress(ActionBase):
    """One rule of a NetworkPolicy: pods with these labels may connect to this port."""

    KINDS = frozenset({"NetworkPolicy"})

    position: Place
    labels: Labels
    port: Port

    def _words(self) -> str:
        peers = ",".join(f"{key}={value}" for key, value in self.labels.items())
        return f"pods with {peers} reach port {self.port} by {self.target}"


class AllowIngress(_Ingress):
    """Adds a rule to a NetworkPolicy that lets pods of the namespace in, at one port."""

    NAME = ActionName.ALLOW_INGRESS

    action: Literal["AllowIngress"] = "AllowIngress"

    def summary(self) -> str:
        """Return one line for people."""
        return f"Let {self._words()}"[:1024]


class WithdrawIngress(_Ingress):
    """Removes a rule that AllowIngress added."""

    NAME = ActionName.ALLOW_INGRESS
    INTERNAL = True

    action: Literal["WithdrawIngress"] = "WithdrawIngress"

    def summary(self) -> str:
        """Return one line for people."""
        return f"No longer let {self._words()}"[:1024]


class _Egress(ActionBase):
    """One rule of a NetworkPolicy: a connection to pods with these labels, or to the DNS."""

    KINDS = frozenset({"NetworkPolicy"})

    position: Place
    labels: Labels | None = None
    port: Port | None = None

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.labels is None) != (self.port is None):
            raise ValueError("labels and port belong together; without them it is the DNS")
        return self

    def _words(self) -> str:
        if self.labels is None:
            return f"the cluster's DNS be asked by {self.target}"
        peers = ",".join(f"{key}={value}" for key, value in self.labels.items())
        return f"port {self.port} of pods with {peers} be reached by {self.target}"


class AllowEgress(_Egress):
    """Adds a rule to a NetworkPolicy that lets its pods reach others, or the cluster's DNS."""

    NAME = ActionName.ALLOW_EGRESS

    action: Literal["AllowEgress"] = "AllowEgress"

    def summary(self) -> str:
        """Return one line for people."""
        return f"Let {self._words()}"[:1024]


class WithdrawEgress(_Egress):
    """Removes a rule that AllowEgress added."""

    NAME = ActionName.ALLOW_EGRESS
    INTERNAL = True

    action: Literal["WithdrawEgress"] = "WithdrawEgress"

    def summary(self) -> str:
        """Return one line for people."""
        return f"No longer let {self._words()}"[:1024]
