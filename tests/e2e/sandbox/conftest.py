"""The chart's admission policies in two fresh namespaces, and requests under any identity."""

import base64
import http.client
import json
import os
import secrets
import ssl
import subprocess
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from reme_cluster.kubectl import Kubectl

CHART = Path(__file__).parents[3] / "charts" / "reme"
RUN = "reme-0a1b2c3d-1"
STRATEGIC = "application/strategic-merge-patch+json"
Object = dict[str, Any]


class Reply(NamedTuple):
    status: int
    body: Object

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))

    @property
    def refused_by_admission(self) -> bool:
        return self.status in (403, 422) and "ValidatingAdmissionPolicy" in self.message


class Identity(NamedTuple):
    """The sender of a request; `pod` None is a token that is bound to no pod."""

    user: str
    groups: tuple[str, ...]
    pod: str | None

    @classmethod
    def run(cls, namespace: str, run: str = RUN, pod: str | None = "") -> "Identity":
        return cls(
            f"system:serviceaccount:{namespace}:{run}",
            (
                "system:serviceaccounts",
                f"system:serviceaccounts:{namespace}",
                "system:authenticated",
            ),
            f"{run}-x7k2p" if pod == "" else pod,
        )


@dataclass
class Api:
    """Requests with the administrator's certificate, or impersonating another identity."""

    server: str
    context: ssl.SSLContext
    token: str = ""
    authority: str = ""

    def anonymous(self) -> ssl.SSLContext:
        """Return a context that trusts the server, without the administrator's certificate."""
        return ssl.create_default_context(cafile=self.authority)

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        by: Identity | None = None,
        content_type: str = "",
    ) -> Reply:
        connection = http.client.HTTPSConnection(self.server, context=self.context, timeout=20)
        kind = content_type or (STRATEGIC if method == "PATCH" else "application/json")
        data = json.dumps(body) if body is not None else None
        connection.putrequest(method, path)
        connection.putheader("Accept", "application/json")
        if self.token:
            connection.putheader("Authorization", f"Bearer {self.token}")
        if by:
            connection.putheader("Impersonate-User", by.user)
            for group in by.groups:
                connection.putheader("Impersonate-Group", group)
            if by.pod is not None:
                key = urllib.parse.quote("authentication.kubernetes.io/pod-name", safe="")
                connection.putheader(f"Impersonate-Extra-{key}", by.pod)
        if data is not None:
            connection.putheader("Content-Type", kind)
            connection.putheader("Content-Length", str(len(data.encode())))
        connection.endheaders(data.encode() if data is not None else None)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = {"message": text.decode(errors="replace")}
        return Reply(answer.status, parsed)


def _file(entry: Object, key: str) -> str:
    if f"{key}-data" not in entry:
        return str(entry[key])
    with tempfile.NamedTemporaryFile(delete=False) as temporary_file_wrapper:
        temporary_file_wrapper.write(base64.b64decode(entry[f"{key}-data"]))
    return temporary_file_wrapper.name


@pytest.fixture(scope="session")
def api(kubectl: Kubectl) -> Api:
    config = yaml.safe_load(kubectl.run("config", "view", "--raw", "--minify"))
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    authority = _file(cluster, "certificate-authority")
    context = ssl.create_default_context(cafile=authority)
    if "client-certificate" in user or "client-certificate-data" in user:
        context.load_cert_chain(_file(user, "client-certificate"), _file(user, "client-key"))
    return Api(
        cluster["server"].removeprefix("https://"), context, user.get("token", ""), authority
    )


@dataclass
class RunAdmission:
    """The chart's run roles and admission policies, installed for two fresh namespaces."""

    kubectl: Kubectl
    api: Api
    system: str
    shop: str
    fullname: str
    _number: int = field(default=0)

    @property
    def identity(self) -> Identity:
        return Identity.run(self.system)

    @property
    def mark(self) -> str:
        """The part of names that distinguishes this session from others."""
        return self.shop.removeprefix("shop-")

    @property
    def operator(self) -> Identity:
        """The operator with all permissions, so that only admission can refuse."""
        user = f"system:serviceaccount:{self.system}:{self.fullname}-operator"
        return Identity(user, ("system:masters",), None)

    def grant(
        self, *rules: Object, not_after: str = "2099-01-01T00:00:00Z", run: str = RUN
    ) -> None:
        user = f"system:serviceaccount:{self.system}:{run}"
        spec = {"username": user, "notAfter": not_after, "rules": list(rules)}
        head = {"apiVersion": "reme.dev/v1alpha1", "kind": "RunGrant", "metadata": {"name": run}}
        path = f"/apis/reme.dev/v1alpha1/namespaces/{self.system}/rungrants"
        self.api("DELETE", f"{path}/{run}", by=self.operator)
        reply = self.api("POST", path, {**head, "spec": spec})
        assert reply.status == 201, reply
        self._settle(run)

    def _settle(self, run: str) -> None:
        """Wait until the server evaluates the grant: what it cannot list is refused by it."""
        by = Identity.run(self.system, run)
        probe = f"/api/v1/namespaces/{self.shop}/configmaps/canary?dryRun=All"

        def is_evaluated() -> bool:
            reply = self.api("PATCH", probe, {"data": {"a": "b"}}, by=by)
            return "does not allow it to" in reply.message

        eventually(is_evaluated)

    def rule(
        self,
        resource: str,
        name: str,
        *fields: str,
        verb: str = "UPDATE",
        values: Object | None = None,
    ) -> Object:
        kind = resource.split("/")[0]
        apps = ("deployments", "statefulsets", "daemonsets")
        return {
            "group": "apps" if kind in apps else "",
            "resource": resource,
            "namespace": self.shop,
            "name": name,
            "verbs": [verb],
            "fields": list(fields),
            "values": values or {},
        }


def eventually(check: Callable[[], Any], seconds: float = 30) -> Any:
    until = time.monotonic() + seconds
    while not (result := check()):
        assert time.monotonic() < until, "not within its time"
        time.sleep(0.1)
    return result


@pytest.fixture(scope="session")
def admission(kubectl: Kubectl, api: Api) -> Iterator[RunAdmission]:
    mark = secrets.token_hex(3)
    run_admission = RunAdmission(
        kubectl, api, f"reme-admission-{mark}", f"shop-{mark}", f"admission-{mark}"
    )
    rendered = helm_template(run_admission.fullname, run_admission.system, *templates())
    try:
        kubectl.run("create", "namespace", run_admission.system)
        kubectl.run("create", "namespace", run_admission.shop)
        for plural in ("rungrants", "diagnosisreports"):
            if api("GET", f"/apis/reme.dev/v1alpha1/{plural}").status == 404:
                definition = helm_template("x", "x", f"templates/crds/{plural}.yaml")
                kubectl.run("apply", "-f", "-", stdin=definition)
        # Broad permissions, so that only admission can refuse.
        kubectl.run("apply", "-f", "-", stdin=yaml.safe_dump(_everything(run_admission)))
        kubectl.run("apply", "-f", "-", stdin=rendered)
        account = f"/api/v1/namespaces/{run_admission.shop}/serviceaccounts/default"
        eventually(lambda: api("GET", account).status == 200)
        kubectl.run(
            "apply", "-n", run_admission.shop, "-f", str(Path(__file__).with_name("shop.yaml"))
        )
        by = Identity.run(run_admission.system, "reme-0a1b2c3d-9")
        canary = f"/api/v1/namespaces/{run_admission.shop}/configmaps?dryRun=All"
        eventually(lambda: api("POST", canary, _canary(), by=by).refused_by_admission)
        yield run_admission
    finally:
        kubectl.run("delete", "--ignore-not-found", "-f", "-", stdin=rendered)
        kubectl.run("delete", "clusterrolebinding", run_admission.fullname, "--ignore-not-found")
        kubectl.run("delete", "namespace", run_admission.system, run_admission.shop, "--wait=false")


def _canary() -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new"}}


def templates() -> list[str]:
    names = sorted(p.name for p in (CHART / "templates" / "sandbox").glob("*.yaml"))
    follow_up = "templates/policy/follow-up-admission-policy.yaml"
    return [follow_up, *(f"templates/sandbox/{name}" for name in names)]


def helm_template(name: str, namespace: str, *shown: str) -> str:
    done = subprocess.run(
        [
            os.environ.get("REME_HELM", "helm"),
            *("template", name, str(CHART), "--namespace", namespace),
            *("--set", f"fullnameOverride={name}"),
            *(word for path in shown for word in ("--show-only", path)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _everything(run_admission: RunAdmission) -> Object:
    names = [RUN, "reme-0a1b2c3d-2", "reme-0a1b2c3d-9"]
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": run_admission.fullname},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "cluster-admin",
        },
        "subjects": [
            {"kind": "ServiceAccount", "name": name, "namespace": run_admission.system}
            for name in names
        ],
    }
