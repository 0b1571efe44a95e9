"""Limits on how many remediations run, at once and over time, under one policy."""

from pydantic import Field

from reme_api.base import ApiModel
from reme_api.cel import default_from_profile


class Budgets(ApiModel):
    """Rate limits; a field that is not set comes from the profile, else from the defaults here."""

    max_concurrent: int = Field(
        default=1,
        ge=1,
        le=100,
        description="Maximum of open remediations at once. Default without a profile: 1.",
        json_schema_extra=default_from_profile,
    )
    max_per_hour: int = Field(
        default=12,
        ge=1,
        le=1000,
        description="Maximum of remediations started per hour, each with up to maxAttempts runs."
        " Default without a profile: 12.",
        json_schema_extra=default_from_profile,
    )
    cooldown_seconds: int = Field(
        default=300,
        ge=0,
        le=86400,
        description="Minimum time between two remediations of one target; doubles with each"
        " consecutive remediation that did not help. Default without a profile: 300.",
        json_schema_extra=default_from_profile,
    )
    max_cooldown_seconds: int = Field(
        default=21600,
        ge=0,
        le=604800,
        description="Upper bound of the doubled cooldown. Default without a profile: 21600.",
        json_schema_extra=default_from_profile,
    )
    max_workloads_percent: int = Field(
        default=100,
        ge=1,
        le=100,
        description="Maximum share of a namespace's workloads that remediations may change within"
        " the window; at least one workload. Default without a profile: 100, no limit.",
        json_schema_extra=default_from_profile,
    )
    workloads_window_seconds: int = Field(
        default=3600,
        ge=60,
        le=86400,
        description="Window of maxWorkloadsPercent. Default without a profile: 3600.",
        json_schema_extra=default_from_profile,
    )
