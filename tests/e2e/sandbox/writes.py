"""One write of a run, and parts of its body."""

from typing import Any, NamedTuple

from tests.e2e.sandbox.conftest import Identity, Object, RunAdmission

MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"


class Write(NamedTuple):
    """One request; {shop} and {system} stand for the namespaces."""

    method: str
    path: str
    body: Any = None
    content_type: str = ""


def deployment(name: str = "cart", sub: str = "") -> str:
    return f"/apis/apps/v1/namespaces/{{shop}}/deployments/{name}{sub}"


def template(**spec: Any) -> Object:
    return {"spec": {"template": {"spec": spec}}}


def app(**fields: Any) -> Object:
    return template(containers=[{"name": "app", **fields}])


def annotated(**annotations: str) -> Object:
    return {"spec": {"template": {"metadata": {"annotations": annotations}}}}


def send(
    admission: RunAdmission, write: Write, by: Identity | None = None, *, dry: bool = True
) -> Any:
    path = write.path.format(shop=admission.shop, system=admission.system)
    if dry and not any(word in path for word in ("exec", "attach", "portforward", "proxy")):
        path += "&dryRun=All" if "?" in path else "?dryRun=All"
    return admission.api(
        write.method,
        path,
        write.body,
        by=by or admission.identity,
        content_type=write.content_type,
    )
