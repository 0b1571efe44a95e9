"""The kill switch: a ConfigMap of the release namespace that stops every new write. Pure.

    kubectl -n reme-system create configmap reme-stop --from-literal=inFlight=Abort

The switch is on while the ConfigMap exists. No Job is created meanwhile, neither for a run nor for
a rollback. Runs in flight are drained (`inFlight: Drain`, the default: they run to their end) or
aborted (`inFlight: Abort`: their RBAC is revoked and their Jobs are deleted at once). Once the
ConfigMap is deleted, plans on hold go on and aborted runs are rolled back. The switch lives in the
API server: it holds for every replica and survives restarts, and it is read again immediately
before a Job is created (`kill_switch.watch`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reme_playbook.errors import quote
from reme_playbook.snapshot import unstructured

IN_FLIGHT_KEY = "inFlight"
REASON_KEY = "reason"

DEFAULT_NAME = "reme-stop"
"""Name of the ConfigMap, unless the installer has set another."""

_MAX_REASON = 200


class InFlightPolicy(StrEnum):
    """What happens to the runs in flight."""

    DRAIN = "Drain"
    ABORT = "Abort"


@dataclass(frozen=True, slots=True)
class KillSwitchState:
    """The state of the switch, and the reason that was given for it."""

    on: bool = False
    in_flight: InFlightPolicy = InFlightPolicy.DRAIN
    reason: str = ""

    @property
    def aborts_runs(self) -> bool:
        """Whether runs in flight must end now."""
        return self.on and self.in_flight is InFlightPolicy.ABORT

    def text(self) -> str:
        """Return it as a message; empty when the switch is off."""
        if not self.on:
            return ""
        return "the kill switch is on" + (f": {self.reason}" if self.reason else "")


OFF = KillSwitchState()


def parse_kill_switch(config_map: Mapping[str, Any] | None) -> KillSwitchState:
    """Return the state; a ConfigMap that is being deleted is off.

    An unrecognised value of `inFlight` is treated as `Abort`.
    """
    if config_map is None or unstructured.text(config_map, "metadata", "deletionTimestamp"):
        return OFF
    data = unstructured.strings(config_map, "data")
    value = data.get(IN_FLIGHT_KEY, "").strip().lower()
    drains = value in ("", InFlightPolicy.DRAIN.lower())
    in_flight = InFlightPolicy.DRAIN if drains else InFlightPolicy.ABORT
    reason = data.get(REASON_KEY, "").strip()
    shown_reason = quote(reason, _MAX_REASON)[1:-1] if reason else ""
    return KillSwitchState(True, in_flight, shown_reason)
