"""Probes of a service, and their results."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from reme_api.base import ApiModel, DnsLabel, Message, ObjectName, ServicePort, Short, Time
from reme_api.cel import ValidationRule, list_map_key, validation_rules
from reme_api.validation import Pattern

HTTP_PATH = Pattern(r"^/[!-~]*$", "must start with / and have no spaces or non-ASCII characters")
_PRINTABLE = Pattern(r"^[ -~]*$", "must have printable ASCII characters only")
MAX_BODY_CHARACTERS = 8192
_SET_BY_REME = ("connection", "content-length", "content-type", "host", "te", "transfer-encoding")
_SECRETS = ("authorization", "cookie", "proxy-authorization")


class HttpMethod(StrEnum):
    """Method of a request."""

    GET = "GET"
    HEAD = "HEAD"
    POST = "POST"


class HttpHeader(ApiModel):
    """A header of a request; not for secrets, since everybody who reads the report sees it."""

    model_config = ConfigDict(
        json_schema_extra=validation_rules(
            ValidationRule(
                f"!(self.name.lowerAscii() in {list(_SET_BY_REME)})",
                "Host and the headers of the body are set by reme; contentType sets Content-Type",
                ".name",
            ),
            ValidationRule(
                f"!(self.name.lowerAscii() in {list(_SECRETS)})",
                "headers are readable by everybody who may read the object: send no credentials",
                ".name",
            ),
        )
    )

    name: Annotated[
        str,
        StringConstraints(max_length=64),
        Pattern(
            r"^[A-Za-z0-9][-A-Za-z0-9_]*$",
            "must be the name of a header: only letters, digits, - and _",
        ),
    ]
    value: Annotated[
        str,
        StringConstraints(max_length=1024),
        _PRINTABLE,
    ] = ""

    @model_validator(mode="after")
    def _allowed(self) -> Self:
        if self.name.lower() in _SET_BY_REME:
            raise ValueError("the header is set by reme; contentType sets Content-Type")
        if self.name.lower() in _SECRETS:
            raise ValueError("send no credentials: the object is no place for secrets")
        return self


class HttpProbe(ApiModel):
    """A request to a Service of the same namespace."""

    model_config = ConfigDict(
        json_schema_extra=validation_rules(
            ValidationRule(
                "!has(self.body) || self.body.size() == 0"
                " || (has(self.method) && self.method == 'POST')",
                "a body needs method POST",
                ".body",
            )
        )
    )

    service: ObjectName = Field(description="Service in the namespace of the target.")
    port: ServicePort = Field(description="Port of the Service, by number or name.")
    method: HttpMethod = Field(
        default=HttpMethod.GET,
        description="Method of the request. A POST is sent many times: it must be harmless.",
    )
    headers: list[HttpHeader] = Field(
        default_factory=list,
        max_length=16,
        description="Headers of the request.",
        json_schema_extra=list_map_key("name"),
    )
    body: Annotated[str, StringConstraints(max_length=MAX_BODY_CHARACTERS)] = Field(
        default="", description="Body of a POST."
    )
    content_type: Annotated[
        str,
        StringConstraints(max_length=128),
        _PRINTABLE,
    ] = Field(default="", description="Type of the body; application/json when empty.")
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

    @model_validator(mode="after")
    def _body_is_sent(self) -> Self:
        if self.body and self.method is not HttpMethod.POST:
            raise ValueError("a body needs method POST")
        return self


class TcpProbe(ApiModel):
    """A connection to a Service of the same namespace."""

    service: ObjectName = Field(description="Service in the namespace of the target.")
    port: ServicePort = Field(description="Port of the Service, by number or name.")


class GrpcProbe(ApiModel):
    """A call of grpc.health.v1.Health/Check on a Service of the same namespace, without TLS."""

    service: ObjectName = Field(description="Service in the namespace of the target.")
    port: ServicePort = Field(description="Port of the Service, by number or name.")
    health_service: Annotated[
        str,
        StringConstraints(max_length=253),
        Pattern(r"^[!-~]*$", "must have printable ASCII characters and no spaces"),
    ] = Field(default="", description="Name that the server is asked about; the whole server's.")


ServiceProbe = HttpProbe | TcpProbe | GrpcProbe
"""A probe that sends something to a Service."""


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


_KINDS = ("http", "tcp", "grpc", "rollout", "resource_usage")
_ONE_KIND = "set exactly one of http, tcp, grpc, rollout, resourceUsage"


class Probe(ApiModel):
    """One check of the service: exactly one of its kinds is set."""

    model_config = ConfigDict(
        json_schema_extra=validation_rules(
            ValidationRule(
                "[has(self.http), has(self.tcp), has(self.grpc), has(self.rollout),"
                " has(self.resourceUsage)].filter(kind, kind).size() == 1",
                _ONE_KIND,
            )
        )
    )

    name: DnsLabel = Field(description="Name within the list, shown in the results.")
    http: HttpProbe | None = None
    tcp: TcpProbe | None = None
    grpc: GrpcProbe | None = None
    rollout: RolloutProbe | None = None
    resource_usage: ResourceUsageProbe | None = None
    timeout_seconds: int = Field(default=2, ge=1, le=30, description="Timeout of one sample.")

    @property
    def request(self) -> ServiceProbe | None:
        """What is sent to a Service; None for a probe that reads the API server."""
        return self.http or self.tcp or self.grpc

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(getattr(self, kind) is not None for kind in _KINDS) != 1:
            raise ValueError(_ONE_KIND)
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
