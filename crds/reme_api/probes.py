"""Probes of a service, and their results."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from reme_api.base import ApiModel, DnsLabel, Message, ObjectName, Short, Time
from reme_api.cel import ValidationRule, validation_rules
from reme_api.validation import Pattern

HTTP_PATH = Pattern(r"^/[!-~]*$", "must start with / and have no spaces or non-ASCII characters")


class HttpProbe(ApiModel):
    """A GET on a Service of the same namespace."""

    service: ObjectName = Field(description="Service in the namespace of the target.")
    port: int = Field(ge=1, le=65535, description="Port of the Service.")
    path: Annotated[
        str,
        StringConstraints(max_length=256),
        HTTP_PATH,
    ] = Field(default="/", description="Path and query of the request.")
    max_status: int = Field(
        default=399, ge=200, le=599, description="Highest HTTP status code that passes."
    )
    max_milliseconds: int | None = Field(
        default=None, ge=1, le=60000, description="Longest response time that passes."
    )


class TcpProbe(ApiModel):
    """A connection to a Service of the same namespace."""

    service: ObjectName = Field(description="Service in the namespace of the target.")
    port: int = Field(ge=1, le=65535, description="Port of the Service.")


class RolloutProbe(ApiModel):
    """Passes when the newest template is rolled out and all replicas are available."""

    kind: (
        Annotated[
            str,
            StringConstraints(max_length=32),
            Pattern(
                r"^(Deployment|StatefulSet|DaemonSet)$",
                "must be Deployment, StatefulSet or DaemonSet",
            ),
        ]
        | None
    ) = Field(default=None, description="Kind of the workload; the target's when absent.")
    name: ObjectName | None = Field(
        default=None, description="Name of the workload; the target's when absent."
    )
    min_replicas: int = Field(
        default=1, ge=0, le=1000, description="Lowest number of desired replicas that passes."
    )


class Resource(StrEnum):
    """A compute resource that metrics.k8s.io measures."""

    CPU = "cpu"
    MEMORY = "memory"


class ResourceUsageProbe(ApiModel):
    """Usage of a resource, as a share of its limit, in the containers of the target's pods."""

    resource: Resource = Field(description="Resource that is measured.")
    max_percent: int = Field(ge=1, le=100, description="Highest share of the limit that passes.")
    container: DnsLabel | None = Field(
        default=None, description="Only this container; all containers when absent."
    )


class Probe(ApiModel):
    """One check of the service: exactly one of its kinds is set."""

    model_config = ConfigDict(
        json_schema_extra=validation_rules(
            ValidationRule(
                "[has(self.http), has(self.tcp), has(self.rollout), has(self.resourceUsage)]"
                ".filter(kind, kind).size() == 1",
                "set exactly one of http, tcp, rollout, resourceUsage",
            )
        )
    )

    name: DnsLabel = Field(description="Name within the list, shown in the results.")
    http: HttpProbe | None = None
    tcp: TcpProbe | None = None
    rollout: RolloutProbe | None = None
    resource_usage: ResourceUsageProbe | None = None
    timeout_seconds: int = Field(default=2, ge=1, le=30, description="Timeout of one sample.")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (
            sum(
                getattr(self, kind) is not None
                for kind in ("http", "tcp", "rollout", "resource_usage")
            )
            != 1
        ):
            raise ValueError("set exactly one of http, tcp, rollout, resourceUsage")
        return self


class ProbeVerdict(StrEnum):
    """Result of a probe over a window."""

    PASSED = "Passed"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


class ProbeResult(ApiModel):
    """Samples of one probe over a window, by result."""

    name: DnsLabel
    verdict: ProbeVerdict
    passed: int = Field(default=0, ge=0, description="Number of samples that passed.")
    failed: int = Field(default=0, ge=0, description="Number of samples that failed.")
    errors: int = Field(default=0, ge=0, description="Number of samples that could not be taken.")
    value: Short = Field(default="", description="Last measured value.")
    message: Message = Field(default="", description="Error of the last sample that failed.")


class NeighbourHealth(ApiModel):
    """Replicas of a neighbour of the target."""

    kind: Short
    name: ObjectName
    desired: int = Field(ge=0)
    available: int = Field(ge=0)

    @property
    def healthy(self) -> bool:
        """Whether all desired replicas are available."""
        return self.available >= self.desired


class ProbeWindow(ApiModel):
    """Probe results over a period of time."""

    start_time: Time
    completion_time: Time | None = None
    verdict: ProbeVerdict = ProbeVerdict.UNKNOWN
    probes: list[ProbeResult] = Field(default_factory=list, max_length=16)
    neighbours: list[NeighbourHealth] = Field(default_factory=list, max_length=256)
    message: Message = ""
