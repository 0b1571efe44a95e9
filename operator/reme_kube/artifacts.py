"""Texts that are too big for a status, in immutable ConfigMaps beside their remediation."""

from hashlib import sha256

from reme_api.base import API_VERSION, ArtifactReference
from reme_api.remediation import Remediation
from reme_kube.errors import (
    AlreadyExistsError,
    ForeignObjectError,
    TamperedError,
)
from reme_kube.http_client import ApiClient, Json
from reme_kube.protocols import UID_LABEL
from reme_kube.resources import CONFIG_MAPS


async def store_artifact(
    api: ApiClient, owner: Remediation, name: str, key: str, text: str
) -> tuple[ArtifactReference, str]:
    """Keep a text under a name unless one is kept there already; return where, and what is there.

    Raises:
        ForeignObjectError: when the name is taken by an object that is not of this owner.

    """
    manifest = _manifest(owner, name, key, text)
    try:
        await api.create(CONFIG_MAPS.path(owner.metadata.namespace), manifest)
    except AlreadyExistsError:
        found = await api.get(CONFIG_MAPS.path(owner.metadata.namespace, name))
        text = _own_text(found, manifest, name, key)
    return ArtifactReference(name=name, key=key, digest=_digest(text)), text


async def read_artifact(api: ApiClient, namespace: str, reference: ArtifactReference) -> str:
    """Return a kept text.

    Raises:
        TamperedError: when it is not the text that the reference was made for.

    """
    found = await api.get(CONFIG_MAPS.path(namespace, reference.name))
    text = (found.get("data") or {}).get(reference.key)
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
                    # True would need a right on the finalizers of the owner.
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "immutable": True,
        "data": {key: text},
    }


def _own_text(found: Json, manifest: Json, name: str, key: str) -> str:
    """Return the text that is there, if everything around it is as it would have been made."""
    meta, wanted = found["metadata"], manifest["metadata"]
    labels = meta.get("labels") or {}
    data = found.get("data") or {}
    same = (
        labels.get(UID_LABEL) == wanted["labels"][UID_LABEL]
        and meta.get("ownerReferences") == wanted["ownerReferences"]
        and found.get("immutable") is True
        and list(data) == [key]
        and not meta.get("deletionTimestamp")
    )
    if not same:
        raise ForeignObjectError(f"ConfigMap {name} exists and was not made by reme")
    return str(data[key])


def _digest(text: str) -> str:
    return f"sha256:{sha256(text.encode()).hexdigest()}"
