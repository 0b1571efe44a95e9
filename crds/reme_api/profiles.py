"""Profiles: defaults for policies.

A profile never sets the mode: a policy always states it. Fields of the policy override those of
its profile; a list of actions replaces the profile's list as a whole.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from reme_api.actions import ActionName, Disruption


class Profile(StrEnum):
    """Name of a set of defaults."""

    CONSERVATIVE = "Conservative"
    STANDARD = "Standard"
    BROAD = "Broad"


_RESTORING = (
    ActionName.RESTART,
    ActionName.ROLLBACK,
    ActionName.SET_IMAGE,
    ActionName.SET_COMMAND,
    ActionName.DELETE_POD,
    ActionName.RESUME_ROLLOUT,
    ActionName.PATCH_SERVICE_SELECTOR,
    ActionName.PATCH_SERVICE_PORT,
    ActionName.SET_INGRESS_BACKEND,
)
"""Actions that restore an earlier state or point to what exists: no quantity, no traffic rule."""

_QUANTITIES = (ActionName.SCALE, ActionName.SET_RESOURCES, ActionName.SET_AUTOSCALING)
_NODES = (ActionName.UNCORDON_NODE, ActionName.REMOVE_TAINT)


def _rules(names: tuple[ActionName, ...], **bounds: Any) -> list[dict[str, Any]]:
    return [{"name": name, **bounds} for name in names]


def _except(*excluded: tuple[ActionName, ...]) -> tuple[ActionName, ...]:
    skip = {name for names in excluded for name in names} | {ActionName.SET_QUOTA}
    return tuple(name for name in ActionName if name not in skip)


PROFILES: Mapping[Profile, Mapping[str, Any]] = MappingProxyType(
    {
        Profile.CONSERVATIVE: {
            "max_attempts": 1,
            "max_disruption": Disruption.MEDIUM,
            "actions": [
                *_rules(_RESTORING),
                {"name": ActionName.SCALE, "max_increase_percent": 50, "max_replicas": 5},
                {"name": ActionName.SET_RESOURCES, "max_increase_percent": 25},
            ],
            "budgets": {
                "max_concurrent": 1,
                "max_per_hour": 4,
                "cooldown_seconds": 900,
                "max_cooldown_seconds": 86400,
                "max_workloads_percent": 10,
            },
            "evidence": {
                "require_probe_failure": True,
                "min_confidence_percent": 50,
                "min_persistence_seconds": 60,
            },
        },
        Profile.STANDARD: {
            "max_attempts": 2,
            "max_disruption": Disruption.MEDIUM,
            "actions": [
                *_rules(_except(_QUANTITIES, _NODES)),
                {"name": ActionName.SCALE, "max_increase_percent": 100, "max_replicas": 10},
                {"name": ActionName.SET_RESOURCES, "max_increase_percent": 50},
                {
                    "name": ActionName.SET_AUTOSCALING,
                    "max_increase_percent": 100,
                    "max_replicas": 10,
                },
                {"name": ActionName.SET_QUOTA, "max_increase_percent": 50},
            ],
            "budgets": {
                "max_concurrent": 2,
                "max_per_hour": 12,
                "cooldown_seconds": 300,
                "max_cooldown_seconds": 21600,
                "max_workloads_percent": 25,
            },
            "evidence": {
                "require_probe_failure": False,
                "min_confidence_percent": 25,
                "min_persistence_seconds": 30,
            },
        },
        Profile.BROAD: {
            "max_attempts": 3,
            "max_disruption": Disruption.HIGH,
            "actions": [
                *_rules(_except(_QUANTITIES)),
                *_rules(
                    _QUANTITIES, max_increase_percent=200, max_decrease_percent=50, max_replicas=20
                ),
                {"name": ActionName.SET_QUOTA, "max_increase_percent": 100},
            ],
            "budgets": {
                "max_concurrent": 5,
                "max_per_hour": 60,
                "cooldown_seconds": 60,
                "max_cooldown_seconds": 3600,
                "max_workloads_percent": 50,
            },
            "evidence": {
                "require_probe_failure": False,
                "min_confidence_percent": 0,
                "min_persistence_seconds": 0,
            },
        },
    }
)
