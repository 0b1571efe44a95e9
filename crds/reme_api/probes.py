"""What is measured to decide whether a service works: each probe is one union member."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from reme_api.base import ApiModel, ContainerName, Message, ObjectName, Short, Time
from reme_api.cel import Rule, rules

ProbeName = Annotated[
    str, StringConstraints(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
]


class HttpProbe(ApiModel):
    """A GET on a Service of the same namespace."""

    service: ObjectName = Field(description="Service that is asked; the target's namespace.")
    port: int = Field(ge=1, le=65535, description="Port of the Service.")
    path: Annotated[str, StringConstraints(max_length=256, pattern=r"^/[!-~]*$")] = Field(
        default="/", description="Path and query of the request."
    )
    max_status: int = Field(
        default=399, ge=200, le=599, description="Highest status code that counts as success."
    )
    max_milliseconds: int | None = Field(
        default=None, ge=1, le=60000, description="Slowest answer that counts as success."
    )


class TcpProbe(ApiModel):
    """A connection to a Service of the same namespace."""

    service: ObjectName = Field(description="Service that is connected to.")
    port: int = Field(ge=1, le=65535, description="Port of the Service.")


class RolloutProbe(ApiModel):
    """The newest template is rolled out and all replicas are available."""

    kind: (
        Annotated[
            str, StringConstraints(pattern=r"^(Deployment|StatefulSet|DaemonSet)$", max_length=32)
        ]
        | None
    ) = Field(default=None, description="Kind of the workload; the target's when absent.")
    name: ObjectName | None = Field(
        default=None, description="Name of the workload; the target's when absent."
    )
    min_replicas: int = Field(
        default=1, ge=0, le=1000, description="Fewest desired replicas that count as success."
    )


class Resource(StrEnum):
    """A compute resource that metrics.k8s.io measures."""

    CPU = "cpu"
    MEMORY = "memory"


class ResourceUsageProbe(ApiModel):
    """Usage of a resource in every container of the target's pods, as a share of its limit."""

    resource: Resource = Field(description="Resource that is measured.")
    max_percent: int = Field(
        ge=1, le=100, description="Highest share of the limit that is healthy."
    )
    container: ContainerName | None = Field(
        default=None, description="Only this container; all containers when absent."
    )


class Probe(ApiModel):
    """One measurement: exactly one of its kinds is set."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "[has(self.http), has(self.tcp), has(self.rollout), has(self.resourceUsage)]"
                ".filter(kind, kind).size() == 1",
                "exactly one of http, tcp, rollout, resourceUsage must be set",
            )
        )
    )

    name: ProbeName = Field(description="Name within the list, shown in the results.")
    http: HttpProbe | None = None
    tcp: TcpProbe | None = None
    rollout: RolloutProbe | None = None
    resource_usage: ResourceUsageProbe | None = None
    timeout_seconds: int = Field(default=2, ge=1, le=30, description="Longest single measurement.")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (
            sum(
                getattr(self, kind) is not None
                for kind in ("http", "tcp", "rollout", "resource_usage")
            )
            != 1
        ):
            raise ValueError("exactly one of http, tcp, rollout, resourceUsage must be set")
        return self


class ProbeVerdict(StrEnum):
    """What a probe said over its window."""

    PASSED = "Passed"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


class ProbeResult(ApiModel):
    """The samples of one probe over one window, counted."""

    name: ProbeName
    verdict: ProbeVerdict
    passed: int = Field(default=0, ge=0, description="Samples that succeeded.")
    failed: int = Field(default=0, ge=0, description="Samples that failed.")
    errors: int = Field(default=0, ge=0, description="Samples that could not be taken.")
    value: Short = Field(default="", description="The last value that was measured.")
    message: Message = Field(default="", description="Why the last sample that failed did so.")


class NeighbourHealth(ApiModel):
    """A workload beside the target, before or after the run."""

    kind: Short
    name: ObjectName
    desired: int = Field(ge=0)
    available: int = Field(ge=0)

    @property
    def healthy(self) -> bool:
        """Whether every replica that is wanted is available."""
        return self.available >= self.desired


class ProbeWindow(ApiModel):
    """Measurements of one stretch of time."""

    start_time: Time
    completion_time: Time | None = None
    verdict: ProbeVerdict = ProbeVerdict.UNKNOWN
    probes: list[ProbeResult] = Field(default_factory=list, max_length=16)
    neighbours: list[NeighbourHealth] = Field(default_factory=list, max_length=256)
    message: Message = ""
