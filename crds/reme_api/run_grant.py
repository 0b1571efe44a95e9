"""RunGrant: what one run may write; the parameter of the admission policy that fences runs."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints, WithJsonSchema

from reme_api.base import ApiModel, ApiObject, ObjectName, Short, Time


class Verb(StrEnum):
    """An operation as admission names it."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


AnyValue = Annotated[Any, WithJsonSchema({"x-kubernetes-preserve-unknown-fields": True})]
"""Whatever a field of another object may hold."""


class GrantRule(ApiModel):
    """One object that may be written, how, in which of its fields, and to what values."""

    group: Annotated[str, StringConstraints(max_length=253)] = ""
    resource: Annotated[str, StringConstraints(max_length=63)] = Field(
        description="Plural; with its subresource after a slash, such as deployments/scale."
    )
    namespace: Annotated[
        str, StringConstraints(max_length=253, pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$")
    ] = Field(
        default="", description="Empty for an object that is in no namespace, such as a node."
    )
    name: ObjectName
    verbs: list[Verb] = Field(min_length=1, max_length=3)
    fields: list[Annotated[str, StringConstraints(max_length=256)]] = Field(
        default_factory=list,
        max_length=32,
        description="Dotted paths that may change, such as spec.replicas; empty for a deletion.",
    )
    values: dict[str, AnyValue] = Field(
        default_factory=dict,
        max_length=64,
        description=(
            "What they may become, by dotted path: of such a field or of one within it. "
            "What has no value here may only be taken away."
        ),
    )


class RunGrantSpec(ApiModel):
    """The whole of what a run may write."""

    username: Short = Field(description="system:serviceaccount:NAMESPACE:NAME of the run.")
    not_after: Time = Field(description="Later writes are refused.")
    rules: list[GrantRule] = Field(max_length=32)


class RunGrant(ApiObject):
    """Internal: made and removed by the operator with each run, read by the API server."""

    KIND: ClassVar[str] = "RunGrant"
    PLURAL: ClassVar[str] = "rungrants"

    spec: RunGrantSpec
