"""The kill switch: one ConfigMap of the release namespace that stops every new write.

    kubectl -n reme-system create configmap reme-stop --from-literal=inFlight=Abort

It is on while it exists. No Job is created meanwhile, neither of a run nor of an undo. With
`inFlight: Drain`, the default, runs in flight continue to their end; with `Abort` their RBAC is
revoked and their Jobs are ended at once. What was held or
stopped goes on, or is undone, once it is deleted. It lives in the API server, so it holds for
every replica and after every restart, and it is asked again right before a Job is created
(`switch_watch`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reme_playbook.errors import quote
from reme_playbook.snapshot import unstructured

DEFAULT_NAME = "reme-stop"
"""Name of the ConfigMap, unless the installer has set another."""

_LONGEST_REASON = 200


class InFlightPolicy(StrEnum):
    """What becomes of the runs that are under way."""

    DRAIN = "Drain"
    ABORT = "Abort"


@dataclass(frozen=True, slots=True)
class KillSwitchState:
    """What the switch says."""

    on: bool = False
    in_flight: InFlightPolicy = InFlightPolicy.DRAIN
    reason: str = ""

    @property
    def stops(self) -> bool:
        """Whether runs that are under way must end."""
        return self.on and self.in_flight is InFlightPolicy.ABORT

    def text(self) -> str:
        """Return it in words for people; empty when it is off."""
        if not self.on:
            return ""
        return "the kill switch is on" + (f": {self.reason}" if self.reason else "")


OFF = KillSwitchState()


def parse_kill_switch(found: Mapping[str, Any] | None) -> KillSwitchState:
    """Return what the ConfigMap says; one that is being deleted is off.

    An unrecognised value of `inFlight` is treated as `Abort`, the safer of the two.
    """
    if found is None or unstructured.text(found, "metadata", "deletionTimestamp"):
        return OFF
    data = unstructured.strings(found, "data")
    word = data.get("inFlight", "").strip().lower()
    finish = word in ("", InFlightPolicy.DRAIN.lower())
    reason = data.get("reason", "").strip()
    said = quote(reason, _LONGEST_REASON)[1:-1] if reason else ""
    return KillSwitchState(True, InFlightPolicy.DRAIN if finish else InFlightPolicy.ABORT, said)
