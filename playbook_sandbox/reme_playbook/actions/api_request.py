"""Requests of the API server that carry out an action."""

from dataclasses import dataclass
from typing import Any, Self

from reme_api.content_types import JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH
from reme_playbook.snapshot.object_ref import ObjectRef


@dataclass(frozen=True)
class ApiRequest:
    """One request that changes an object."""

    target: ObjectRef
    method: str
    path: str
    body: Any = None
    content_type: str = ""

    @classmethod
    def delete(cls, target: ObjectRef) -> Self:
        """Return the deletion of an object."""
        return cls(target, "DELETE", target.path)

    @classmethod
    def strategic_merge(cls, target: ObjectRef, body: Any, *, subresource: str = "") -> Self:
        """Return a strategic merge patch of an object, or of a subresource of it."""
        path = f"{target.path}/{subresource}" if subresource else target.path
        return cls(target, "PATCH", path, body, STRATEGIC_MERGE_PATCH)

    @classmethod
    def merge(cls, target: ObjectRef, body: Any) -> Self:
        """Return a JSON merge patch, which replaces lists as a whole."""
        return cls(target, "PATCH", target.path, body, MERGE_PATCH)

    @classmethod
    def json_patch(cls, target: ObjectRef, body: Any) -> Self:
        """Return a JSON patch of an object."""
        return cls(target, "PATCH", target.path, body, JSON_PATCH)
