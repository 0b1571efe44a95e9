"""Rules of the API server: the kinds that it serves, what a request selects, and patches."""

import copy
from collections import defaultdict
from typing import Any

from aiohttp import web

Json = dict[str, Any]

KINDS: dict[tuple[str, str], list[tuple[str, str]]] = {
    ("", "v1"): [
        ("configmaps", "ConfigMap"),
        ("events", "Event"),
        ("limitranges", "LimitRange"),
        ("namespaces", "Namespace"),
        ("nodes", "Node"),
        ("pods", "Pod"),
        ("resourcequotas", "ResourceQuota"),
        ("serviceaccounts", "ServiceAccount"),
        ("services", "Service"),
    ],
    ("apps", "v1"): [
        ("controllerrevisions", "ControllerRevision"),
        ("daemonsets", "DaemonSet"),
        ("deployments", "Deployment"),
        ("replicasets", "ReplicaSet"),
        ("statefulsets", "StatefulSet"),
    ],
    ("apiextensions.k8s.io", "v1"): [("customresourcedefinitions", "CustomResourceDefinition")],
    ("batch", "v1"): [("jobs", "Job")],
    ("coordination.k8s.io", "v1"): [("leases", "Lease")],
    ("rbac.authorization.k8s.io", "v1"): [
        ("clusterrolebindings", "ClusterRoleBinding"),
        ("rolebindings", "RoleBinding"),
    ],
    ("reme.dev", "v1alpha1"): [
        ("diagnosisreports", "DiagnosisReport"),
        ("remediationpolicies", "RemediationPolicy"),
        ("remediations", "Remediation"),
        ("rungrants", "RunGrant"),
    ],
}
_CLUSTER_WIDE = {"clusterrolebindings", "customresourcedefinitions", "namespaces", "nodes"}


def split_path(parts: list[str]) -> tuple[str, str, list[str]]:
    if parts[0] == "api":
        return "", parts[1], parts[2:]
    return parts[1], parts[2], parts[3:]


def discovery(parts: list[str]) -> Json | None:
    if parts == ["version"]:
        return {"major": "1", "minor": "34"}
    if parts == ["api"]:
        return {"versions": ["v1"]}
    if parts == ["apis"]:
        versions: dict[str, list[str]] = defaultdict(list)
        for group, version in KINDS:
            if group:
                versions[group].append(version)
        groups = [
            {
                "name": group,
                "preferredVersion": {"version": found[0]},
                "versions": [{"version": v} for v in found],
            }
            for group, found in versions.items()
        ]
        return {"groups": groups}
    if (parts[0] == "api" and len(parts) == 2) or (parts[0] == "apis" and len(parts) == 3):
        group, version, _ = split_path(parts)
        verbs = ["get", "list", "watch", "create", "update", "patch", "delete"]
        resources: list[Json] = []
        for plural, kind in KINDS.get((group, version), []):
            namespaced = plural not in _CLUSTER_WIDE
            base = {"kind": kind, "singularName": kind.lower(), "namespaced": namespaced}
            resources.append(base | {"name": plural, "verbs": verbs})
            resources.append(base | {"name": f"{plural}/status", "verbs": verbs})
        return {"resources": resources}
    return None


def is_selected(request: web.Request, obj: Json) -> bool:
    labels = obj["metadata"].get("labels") or {}
    wanted = request.query.get("labelSelector", "")
    pairs = [part.split("=", 1) for part in wanted.split(",") if "=" in part]
    fields = request.query.get("fieldSelector", "")
    return all(labels.get(key) == value for key, value in pairs) and fields_match(fields, obj)


def fields_match(selector: str, obj: Json) -> bool:
    """Return whether an object has the values that a field selector names."""
    for part in filter(None, selector.split(",")):
        path, _, expected = part.partition("=")
        value: Any = obj
        for name in path.split("."):
            value = (value or {}).get(name)
        if str(value or "") != expected:
            return False
    return True


def unsupported_field(request: web.Request, plural: str) -> str:
    """Return the first field that the real server does not select this resource by."""
    supported = {"metadata.name", "metadata.namespace"}
    if plural == "events":
        supported |= {"involvedObject.kind", "involvedObject.name", "involvedObject.uid", "type"}
    selector = request.query.get("fieldSelector", "")
    names = (part.partition("=")[0] for part in selector.split(",") if part)
    return next((name for name in names if name not in supported), "")


def in_namespace(namespace: str, obj: Json) -> bool:
    return not namespace or obj["metadata"].get("namespace") == namespace


def watch_event(request: web.Request, kind: str, obj: Json, shown: set[str]) -> str:
    """Return the type of event that a watch sends of a change, none when it does not select it.

    An object whose labels are changed enters a selection as ADDED and leaves it as DELETED.
    """
    uid = obj["metadata"]["uid"]
    before, selected = uid in shown, kind != "DELETED" and is_selected(request, obj)
    shown.add(uid) if selected else shown.discard(uid)
    if selected:
        return "MODIFIED" if before else "ADDED"
    return "DELETED" if before else ""


def changed_by(verb: str, before: Json, body: Any) -> Json:
    if verb == "PUT":
        return dict(copy.deepcopy(body))
    return (
        json_patched(before, body) if isinstance(body, list) else dict(merge_patched(before, body))
    )


def merge_patched(before: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    after = copy.deepcopy(before) if isinstance(before, dict) else {}
    for key, value in patch.items():
        if value is None:
            after.pop(key, None)
        else:
            after[key] = merge_patched(after.get(key), value)
    return after


def json_patched(before: Json, ops: list[Json]) -> Json:
    after = copy.deepcopy(before)
    for op in ops:
        *path, last = [p.replace("~1", "/").replace("~0", "~") for p in op["path"].split("/")[1:]]
        place: Any = after
        for part in path:
            place = place[int(part)] if isinstance(place, list) else place[part]
        index: Any = (len(place) if last == "-" else int(last)) if isinstance(place, list) else last
        match op["op"]:
            case "test":
                if place[index] != op["value"]:
                    raise LookupError("test")
            case "remove":
                del place[index]
            case "add" if isinstance(place, list):
                place.insert(index, op["value"])
            case _:
                place[index] = op["value"]
    return after
