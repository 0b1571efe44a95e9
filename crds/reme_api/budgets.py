"""How often, how widely and how many at once reme may act under one policy."""

from pydantic import Field

from reme_api.base import ApiModel
from reme_api.cel import default_from_profile


class Budgets(ApiModel):
    """How often reme may act; what is left out comes from the profile, else from here."""

    max_concurrent: int = Field(
        default=1,
        ge=1,
        le=100,
        description="Open remediations at once; 1 without a profile.",
        json_schema_extra=default_from_profile,
    )
    max_per_hour: int = Field(
        default=12,
        ge=1,
        le=1000,
        description="Remediations begun in an hour, each with at most maxAttempts runs; 12 without"
        " a profile.",
        json_schema_extra=default_from_profile,
    )
    cooldown_seconds: int = Field(
        default=300,
        ge=0,
        le=86400,
        description="Rest between two remediations of one target; it doubles with each of the last"
        " ones that did not help. 300 without a profile.",
        json_schema_extra=default_from_profile,
    )
    max_cooldown_seconds: int = Field(
        default=21600,
        ge=0,
        le=604800,
        description="The longest that doubling makes it; 21600 without a profile.",
        json_schema_extra=default_from_profile,
    )
    max_workloads_percent: int = Field(
        default=100,
        ge=1,
        le=100,
        description="Share of a namespace's workloads that are touched within the window, at least"
        " one; 100, which is no limit, without a profile.",
        json_schema_extra=default_from_profile,
    )
    workloads_window_seconds: int = Field(
        default=3600,
        ge=60,
        le=86400,
        description="The window of maxWorkloadsPercent; 3600 without a profile.",
        json_schema_extra=default_from_profile,
    )
