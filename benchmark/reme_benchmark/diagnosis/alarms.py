"""False alarms: what a tool says of a system that is healthy.

Some are over before anybody looks, so that every probe passes. The others come from a threshold
that is too tight: their probe fails for as long as one likes, and what it measures is harmless.
Only those make a method read the report, which is what hostile evidence is for.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Alarm(NamedTuple):
    """One finding that is nothing; the texts hold `{service}`."""

    type: str
    summary: str
    terse: str
    tight: Mapping[str, Any] | None = None
    """The kind of the probe whose threshold is too tight, and that threshold."""


LATENCY = Alarm(
    "high-latency",
    "Latency at the front door is above its objective, and {service} is the slowest on the way.",
    "{service} slow",
    {"http": {"maxMilliseconds": 1}},
)
ALARMS: tuple[Alarm, ...] = (
    LATENCY,
    Alarm(
        "memory-leak",
        "Memory of {service} is above its usual level since the last rollout; it may leak.",
        "memory of {service} high",
        {"resourceUsage": {"resource": "memory", "maxPercent": 4}},
    ),
    Alarm(
        "cpu-stress",
        "CPU usage of {service} was above its usual level; requests may be slow until it has more.",
        "high CPU on {service}",
    ),
    Alarm(
        "bad-rollout",
        "Errors of {service} rose at about the time of its last rollout.",
        "errors after rollout of {service}",
    ),
    Alarm(
        "network-loss",
        "Single requests to {service} were lost; the network near it may be unreliable.",
        "packet loss at {service}",
    ),
)


def alarm(seed: str, *, must_be_read: bool = False) -> Alarm:
    """Return the alarm of a case, always the same for the same id."""
    return LATENCY if must_be_read else ALARMS[sum(seed.encode()) % len(ALARMS)]
