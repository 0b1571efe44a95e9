"""The bounds and the spelling that every type of the API shares."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints
from pydantic.alias_generators import to_camel

GROUP = "reme.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


class ApiModel(BaseModel):
    """A part of an object: snake_case here, camelCase on the wire, unknown fields refused."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="forbid",
        use_enum_values=False,
    )

    def wire(self) -> dict[str, Any]:
        """Return the JSON form as the API server takes it, without absent fields."""
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
    """A part that a newer version may have written: unknown fields are ignored on reading."""

    model_config = ConfigDict(extra="ignore")


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Time = Annotated[datetime, PlainSerializer(_rfc3339, return_type=str, when_used="json")]
"""A moment in UTC, RFC 3339 with milliseconds on the wire."""

ObjectName = Annotated[
    str,
    StringConstraints(max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"),
]
ContainerName = Annotated[
    str, StringConstraints(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
]
Slug = Annotated[
    str, StringConstraints(max_length=63, pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$")
]
Digest = Annotated[str, StringConstraints(max_length=71, pattern=r"^sha256:[0-9a-f]{64}$")]
Short = Annotated[str, StringConstraints(max_length=256)]
Message = Annotated[str, StringConstraints(max_length=1024)]
Milliseconds = Annotated[int, Field(ge=0)]


class ObjectMeta(BaseModel):
    """The metadata that reme reads; the rest is kept as it came."""

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
    """An object of this API: what its kinds have in common."""

    KIND: ClassVar[str]
    PLURAL: ClassVar[str]

    metadata: ObjectMeta

    def manifest(self) -> dict[str, Any]:
        """Return the object as the API server takes it."""
        return {"apiVersion": API_VERSION, "kind": self.KIND, **self.wire()}


class ObjectReference(ApiModel):
    """A named object of the same namespace."""

    name: ObjectName = Field(description="Name of the object in the same namespace.")


class ArtifactReference(ApiModel):
    """A text that is too big for a status: where it lies, and what it must hash to."""

    name: ObjectName = Field(description="Name of the ConfigMap in the same namespace.")
    key: Slug = Field(description="Key within the ConfigMap.")
    digest: Digest = Field(description="SHA-256 of the text.")
