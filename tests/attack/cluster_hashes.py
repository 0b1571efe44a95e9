"""Everything that is in the cluster, as hashes: what an attack must not change."""

import fnmatch
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Object = dict[str, Any]
Get = Callable[[str], Object]
Snapshot = Mapping[str, str]

# They change on their own, all the time, and say nothing that is declared.
_NOISE = frozenset(
    {"events", "leases", "endpoints", "endpointslices", "componentstatuses", "pods.metrics"}
)
_NOISY_GROUPS = ("metrics.k8s.io", "events.k8s.io")
_OWN_TAINTS = "node.kubernetes.io/"


def take(get: Get, own: tuple[str, ...]) -> Snapshot:
    """Return a hash of every object by its address.

    Of the `own` namespaces the status counts as well. REME_ATTACK_BUSY names namespaces, by
    patterns with commas between them, in which others are at work meanwhile: those are left out.
    """
    busy = [p for p in os.environ.get("REME_ATTACK_BUSY", "").split(",") if p]
    mapping: dict[str, str] = {}
    for group, resource in _resources(get):
        for item in get(f"{group}/{resource}").get("items") or []:
            meta = item["metadata"]
            namespace = meta.get("namespace", "")
            place = namespace or (meta["name"] if resource == "namespaces" else "")
            if any(fnmatch.fnmatch(place, pattern) for pattern in busy):
                continue
            address = f"{group}/{resource}: {namespace}/{meta['name']}"
            mapping[address] = _hash(item, resource, with_status=place in own)
    return mapping


def differences(before: Snapshot, after: Snapshot) -> list[str]:
    """Return what was added, removed or changed."""
    words = {(False, True): "added", (True, False): "removed", (True, True): "changed"}
    return [
        f"{words[address in before, address in after]} {address}"
        for address in sorted(before.keys() | after.keys())
        if before.get(address) != after.get(address)
    ]


def _resources(get: Get) -> Iterator[tuple[str, str]]:
    preferred = [
        f"/apis/{group['preferredVersion']['groupVersion']}"
        for group in get("/apis")["groups"]
        if group["name"] not in _NOISY_GROUPS
    ]
    for address in ("/api/v1", *preferred):
        for resource in get(address).get("resources") or []:
            name = resource["name"]
            if "/" not in name and "list" in resource["verbs"] and name not in _NOISE:
                yield address, name


def _hash(item: Object, resource: str, *, with_status: bool) -> str:
    meta = {k: v for k, v in item["metadata"].items() if k != "managedFields"}
    meta.pop("resourceVersion", None)
    obj = {k: v for k, v in item.items() if k not in ("metadata", "status")}
    if resource == "nodes":
        # The controller of nodes marks one that does not report.
        spec = dict(obj.get("spec") or {})
        taints = [t for t in spec.get("taints") or [] if not t["key"].startswith(_OWN_TAINTS)]
        obj["spec"] = {**spec, "taints": taints}
        meta.pop("annotations", None)
    elif with_status and resource not in ("horizontalpodautoscalers", "namespaces"):
        obj["status"] = item.get("status")
    text = json.dumps([meta, obj], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
