"""Base classes and string types that all API types share."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints
from pydantic.alias_generators import to_camel

from reme_api.validation import Pattern, PortOrName

GROUP = "reme.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


class ApiModel(BaseModel):
    """A part of an API object: snake_case in Python, camelCase in JSON, no unknown fields."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="forbid",
        use_enum_values=False,
    )

    def wire(self) -> dict[str, Any]:
        """Return the JSON form for the API server, without absent fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with other values.

        Raises:
            TypeError: `update` names a field that the type does not have.

        """
        if unknown := set(update or ()) - type(self).model_fields.keys():
            raise TypeError(f"{type(self).__name__} has no field {', '.join(sorted(unknown))}")
        return super().model_copy(update=update, deep=deep)


class ObservedModel(ApiModel):
    """A part of a status: unknown fields, written by a newer version, are ignored."""

    model_config = ConfigDict(extra="ignore")


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Time = Annotated[datetime, PlainSerializer(_rfc3339, return_type=str, when_used="json")]
"""A time in UTC; RFC 3339 with milliseconds in JSON."""

ObjectName = Annotated[
    str,
    StringConstraints(max_length=253),
    Pattern(
        r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        "must be the name of an object: only lower-case letters, digits, - and ., with a letter or"
        " digit at both ends",
    ),
]
DnsLabel = Annotated[
    str,
    StringConstraints(max_length=63),
    Pattern(
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "must be a DNS label: only lower-case letters, digits and -, with a letter or digit at both"
        " ends",
    ),
]
Slug = Annotated[
    str,
    StringConstraints(max_length=63),
    Pattern(
        r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
        "must have only letters, digits, -, _ and ., with a letter or digit at both ends",
    ),
]
Digest = Annotated[
    str,
    StringConstraints(max_length=71),
    Pattern(r"^sha256:[0-9a-f]{64}$", "must be sha256: and 64 hexadecimal digits"),
]
ServicePort = Annotated[
    int | str,
    PortOrName(),
]
"""A port of a Service, by its number or its name. A number as a text becomes a number."""
Short = Annotated[str, StringConstraints(max_length=256)]
Message = Annotated[str, StringConstraints(max_length=1024)]
Milliseconds = Annotated[int, Field(ge=0)]


class ObjectMeta(BaseModel):
    """The metadata fields that reme reads; other fields are preserved."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True, extra="allow"
    )

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None


class ApiObject(ObservedModel):
    """Base class of the kinds of this API."""

    KIND: ClassVar[str]
    PLURAL: ClassVar[str]

    metadata: ObjectMeta

    def manifest(self) -> dict[str, Any]:
        """Return the manifest for the API server."""
        return {"apiVersion": API_VERSION, "kind": self.KIND, **self.wire()}


class ObjectReference(ApiModel):
    """A reference to an object in the same namespace."""

    name: ObjectName = Field(description="Name of the object in the same namespace.")


class ArtifactReference(ApiModel):
    """A reference to a text in a ConfigMap, with its digest; for texts too large for a status."""

    name: ObjectName = Field(description="Name of the ConfigMap in the same namespace.")
    key: Slug = Field(description="Key within the ConfigMap.")
    digest: Digest = Field(description="SHA-256 of the text.")
