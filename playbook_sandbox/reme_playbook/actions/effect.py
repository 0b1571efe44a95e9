"""What an action brings, as text that is recorded: actions with the same effect are one try.

    PodTemplate:sha256:<digest>[+<digest of settings>][ <container>.<limit>=<amount>]...
    <kind>:sha256:<digest>

What makes new pods is named by the pod template that results, whichever action brings it: setting
an image back and rolling back to the revision with that image are one try. Pods that start with
other settings are another try, so the values of ConfigMaps in the same playbook are added.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reme_api.parsing import parse_int

POD_TEMPLATE = "PodTemplate"
_DIGEST = "sha256:"
_MAX_CONTAINER = 48
"""So many characters of a container's name are in a text that a status field holds."""


@dataclass(frozen=True)
class Effect:
    """A recorded effect, read."""

    identity: str
    """Kind and digest."""
    raised: Mapping[str, int] = field(default_factory=dict)
    """Limits that are raised, in millicores or bytes, by `limit_key`."""

    @property
    def template(self) -> str:
        """The digest of the pod template that results; empty if no pods are made."""
        kind, _, rest = self.identity.partition(":")
        return rest.partition("+")[0] if kind == POD_TEMPLATE else ""


def effect_of(kind: str, *parts: Any) -> str:
    """Return the effect of that kind that these parts make up."""
    return f"{kind}:{_DIGEST}{_hash(parts)}"


def template_effect(digest: str, settings: Iterable[Any] = ()) -> str:
    """Return the effect of making pods of the template with that digest.

    `settings` are the values of ConfigMaps that the same playbook brings.
    """
    values = list(settings)
    return f"{POD_TEMPLATE}:{digest}" + (f"+{_hash(values)[:16]}" if values else "")


def with_raised(effect: str, raised: Mapping[str, int]) -> str:
    """Return the effect with the limits that it raises."""
    return " ".join([effect, *(f"{key}={amount}" for key, amount in sorted(raised.items()))])


def limit_key(container: str, limit: str) -> str:
    """Return how an effect names a limit of a container."""
    return f"{container[:_MAX_CONTAINER]}.{limit}"


def parse_effect(text: str) -> Effect:
    """Return a recorded effect; what is not readable in it is left out."""
    identity, *rest = text.split(" ")
    raised: dict[str, int] = {}
    for part in rest:
        key, _, number = part.partition("=")
        amount = parse_int(number)
        if amount is not None:
            raised[key] = amount
    return Effect(identity, raised)


def _hash(parts: Any) -> str:
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()
