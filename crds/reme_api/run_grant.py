"""RunGrant: what one run may write; the parameter of the run admission policy."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints, WithJsonSchema

from reme_api.base import ApiModel, ApiObject, ObjectName, Short, Time
from reme_api.validation import Pattern


class Verb(StrEnum):
    """An operation, as in admission requests."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


AnyValue = Annotated[Any, WithJsonSchema({"x-kubernetes-preserve-unknown-fields": True})]
"""Any value of a field of another object."""


class GrantRule(ApiModel):
    """One object that the run may write: with these verbs, in these fields, to these values."""

    group: Annotated[str, StringConstraints(max_length=253)] = ""
    resource: Annotated[str, StringConstraints(max_length=63)] = Field(
        description="Plural, with a subresource after a slash, such as deployments/scale."
    )
    namespace: Annotated[
        str,
        StringConstraints(max_length=253),
        Pattern(
            r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$", "must be the name of a namespace, or empty"
        ),
    ] = Field(default="", description="Empty for a cluster-scoped object, such as a node.")
    name: ObjectName
    verbs: list[Verb] = Field(min_length=1, max_length=3)
    fields: list[Annotated[str, StringConstraints(max_length=256)]] = Field(
        default_factory=list,
        max_length=32,
        description="Paths that may change, such as spec.replicas; empty for a deletion.",
    )
    values: dict[str, AnyValue] = Field(
        default_factory=dict,
        max_length=64,
        description=(
            "Allowed new values, by path of a field or of a field within it. A field without"
            " a value"
            " here may only be removed."
        ),
    )
    match_labels: dict[str, Annotated[str, StringConstraints(max_length=253)]] = Field(
        default_factory=dict,
        max_length=4,
        description="Labels that the object must have now; for a deletion only.",
    )


class RunGrantSpec(ApiModel):
    """Everything that a run may write."""

    username: Short = Field(
        description="Username of the run: system:serviceaccount:NAMESPACE:NAME."
    )
    not_after: Time = Field(description="Writes after this time are refused.")
    rules: list[GrantRule] = Field(max_length=32)


class RunGrant(ApiObject):
    """Internal: created and deleted by the operator with each run, read by the API server."""

    KIND: ClassVar[str] = "RunGrant"
    PLURAL: ClassVar[str] = "rungrants"

    spec: RunGrantSpec
