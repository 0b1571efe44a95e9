"""Creates an object under a fixed name, or adopts the one that an earlier attempt created."""

from collections.abc import Mapping

from reme_kube.errors import AlreadyExistsError, ConflictError, ForeignObjectError
from reme_kube.http_client import ApiClient
from reme_kube.resources import (
    CLUSTER_ROLE_BINDINGS,
    JOBS,
    ROLE_BINDINGS,
    RUN_GRANTS,
    Json,
    resource_for_manifest,
)

UID_LABEL = "reme.dev/remediation-uid"
"""Label with the UID of the remediation that an object belongs to, where ownership cannot say."""

_EXACT = (CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS, RUN_GRANTS)
"""Kinds that decide what a run may do, and to which the server adds nothing."""


async def create_or_adopt(api: ApiClient, manifest: Json) -> Json:
    """Create the object, or return the one that exists if it belongs to the same remediation.

    Raises:
        ForeignObjectError: the existing object belongs to another remediation, or has a content
            that would allow something else.
        ConflictError: the existing object is being deleted; try again later.

    """
    resource, metadata = resource_for_manifest(manifest), manifest["metadata"]
    namespace, name = metadata.get("namespace", ""), metadata["name"]
    try:
        # A Job is not created by a retry: the kill switch is read again before each attempt.
        once = resource == JOBS
        return await api.create(resource.path(namespace), manifest, once=once)
    except AlreadyExistsError:
        existing = await api.get(resource.path(namespace, name))
    label = f"{resource.kind} {namespace}/{name}"
    if existing["metadata"].get("deletionTimestamp"):
        raise ConflictError(f"{label} is being deleted")
    owner_uid = metadata["labels"][UID_LABEL]
    if (existing["metadata"].get("labels") or {}).get(UID_LABEL) != owner_uid:
        raise ForeignObjectError(f"{label} exists and belongs to another remediation")
    exact = resource in _EXACT or manifest.get("immutable") is True
    if exact and not _contains(existing, manifest):
        raise ForeignObjectError(f"{label} exists with different content")
    return existing


def _contains(existing: object, expected: object) -> bool:
    """Return whether the existing value has all that is expected; empty and absent are equal."""
    if isinstance(expected, Mapping):
        fields = existing if isinstance(existing, Mapping) else {}
        return all(
            _contains(fields.get(key), value)
            for key, value in expected.items()
            if key != "metadata"
        )
    return existing == expected or (not existing and not expected)
