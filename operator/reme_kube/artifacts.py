"""Texts that are too large for a status, stored in immutable ConfigMaps of their remediation."""

from hashlib import sha256

from reme_api.base import API_VERSION, ArtifactReference
from reme_api.remediation import Remediation
from reme_kube.adoption import UID_LABEL
from reme_kube.errors import AlreadyExistsError, ForeignObjectError, TamperedError
from reme_kube.http_client import ApiClient
from reme_kube.resources import CONFIG_MAPS, Json


async def store_artifact(
    api: ApiClient, owner: Remediation, name: str, key: str, text: str
) -> tuple[ArtifactReference, str]:
    """Store a text under a name unless one is stored there; return its reference and the text.

    Raises:
        ForeignObjectError: the name is taken by an object of another owner.

    """
    manifest = _manifest(owner, name, key, text)
    try:
        await api.create(CONFIG_MAPS.path(owner.metadata.namespace), manifest)
    except AlreadyExistsError:
        existing = await api.get(CONFIG_MAPS.path(owner.metadata.namespace, name))
        text = _stored_text(existing, manifest, name, key)
    return ArtifactReference(name=name, key=key, digest=_digest(text)), text


async def read_artifact(api: ApiClient, namespace: str, reference: ArtifactReference) -> str:
    """Return a stored text.

    Raises:
        TamperedError: the text does not match the digest of the reference.

    """
    config_map = await api.get(CONFIG_MAPS.path(namespace, reference.name))
    text = (config_map.get("data") or {}).get(reference.key)
    if text is None or _digest(text) != reference.digest:
        raise TamperedError(
            f"ConfigMap {reference.name} does not hold the text of {reference.digest[:19]}…"
        )
    return str(text)


def _manifest(owner: Remediation, name: str, key: str, text: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "labels": {
                "app.kubernetes.io/managed-by": "reme",
                UID_LABEL: owner.metadata.uid,
            },
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": Remediation.KIND,
                    "name": owner.metadata.name,
                    "uid": owner.metadata.uid,
                    "controller": True,
                    # True would need permission to update the finalizers of the owner.
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "immutable": True,
        "data": {key: text},
    }


def _stored_text(existing: Json, manifest: Json, name: str, key: str) -> str:
    """Return the text of an existing ConfigMap that only `store_artifact` can have created."""
    metadata, expected = existing["metadata"], manifest["metadata"]
    labels = metadata.get("labels") or {}
    data = existing.get("data") or {}
    created_by_reme = (
        labels.get(UID_LABEL) == expected["labels"][UID_LABEL]
        and metadata.get("ownerReferences") == expected["ownerReferences"]
        and existing.get("immutable") is True
        and list(data) == [key]
        and not metadata.get("deletionTimestamp")
    )
    if not created_by_reme:
        raise ForeignObjectError(f"ConfigMap {name} exists and was not created by reme")
    return str(data[key])


def _digest(text: str) -> str:
    return f"sha256:{sha256(text.encode()).hexdigest()}"
