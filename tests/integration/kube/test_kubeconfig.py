"""Every way to log in that a kubeconfig has, against a TLS server on loopback."""

import json
import ssl
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from aiohttp import web

from reme_kube.errors import ForbiddenError, UnavailableError
from reme_kube.http_client import ApiClient
from reme_kube.kubeconfig import load_context


@dataclass
class SecureApi:
    """An API server that accepts the client certificates of one CA, and records who calls."""

    folder: Path
    ca: trustme.CA = field(default_factory=trustme.CA)
    host: str = "127.0.0.1"
    port: int = 0
    accepted_token: str = ""
    requests: list[web.Request] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        assert request.transport is not None
        certificate = request.transport.get_extra_info("peercert") or {}
        names = [value for pairs in certificate.get("subject", ()) for _, value in pairs]
        self.subjects.append(",".join(names))
        expected = f"Bearer {self.accepted_token}"
        if self.accepted_token and request.headers.get("Authorization") != expected:
            return web.json_response({"message": "Unauthorized"}, status=401)
        return web.json_response({"major": "1"})

    @property
    def last(self) -> web.Request:
        return self.requests[-1]

    def kubeconfig(
        self, user: dict[str, Any], name: str = "here", cluster: dict[str, Any] | None = None
    ) -> str:
        """Write a kubeconfig for this server; return its path."""
        self.ca.cert_pem.write_to_path(self.folder / "ca.pem")
        cluster = cluster or {"certificate-authority": "ca.pem"}
        server = f"https://{self.host}:{self.port}"
        document = {
            "current-context": name,
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "clusters": [{"name": name, "cluster": {"server": server} | cluster}],
            "users": [{"name": name, "user": user}],
        }
        file = self.folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump(document))
        return str(file)

    def plugin(self, *statuses: dict[str, Any], **config: Any) -> dict[str, Any]:
        """Return a user whose plugin returns one status per call, and the last one thereafter."""
        calls = self.folder / "plugin-calls"
        script = self.folder / "plugin.py"
        script.write_text(
            f"""#!{sys.executable}
import json, os, pathlib
calls = pathlib.Path({str(calls)!r})
number = len(calls.read_text().splitlines()) if calls.exists() else 0
with calls.open("a") as file:
    file.write(json.dumps([os.environ["KUBERNETES_EXEC_INFO"], os.environ.get("CLUSTER")]) + "\\n")
statuses = json.loads({json.dumps(statuses)!r})
version = "client.authentication.k8s.io/v1"
status = statuses[min(number, len(statuses) - 1)]
print(json.dumps({{"apiVersion": version, "kind": "ExecCredential", "status": status}}))
"""
        )
        script.chmod(0o755)
        plugin = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(script),
            "interactiveMode": "Never",
        }
        return {"exec": plugin | config}

    @property
    def plugin_calls(self) -> list[list[Any]]:
        lines = (self.folder / "plugin-calls").read_text().splitlines()
        return [json.loads(line) for line in lines]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[SecureApi]:
    api = SecureApi(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    api.ca.issue_cert("127.0.0.1", "kube.internal").configure_cert(tls)
    api.ca.configure_trust(tls)
    tls.verify_mode = ssl.CERT_OPTIONAL
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    api.port = runner.addresses[0][1]
    try:
        yield api
    finally:
        await runner.cleanup()


async def call(file: str = "", times: int = 1, **options: Any) -> None:
    credentials = load_context(file, **options).credentials
    async with ApiClient(credentials, attempts=2) as api:
        for _ in range(times):
            await api.get("/version")


async def test_a_login_plugin_gets_its_environment_and_the_cluster(server: SecureApi) -> None:
    user = server.plugin(
        {"token": "short-lived"},
        env=[{"name": "CLUSTER", "value": "shop"}],
        provideClusterInfo=True,
    )
    await call(server.kubeconfig(user))
    assert server.last.headers["Authorization"] == "Bearer short-lived"
    ((info, name),) = server.plugin_calls
    assert name == "shop"
    assert json.loads(info)["spec"]["cluster"]["server"].endswith(str(server.port))


async def test_a_plugin_logs_in_again_when_its_token_expires_or_is_refused(
    server: SecureApi,
) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    user = server.plugin({"token": "old", "expirationTimestamp": soon}, {"token": "new"})
    server.accepted_token = "new"
    await call(server.kubeconfig(user))
    assert server.last.headers["Authorization"] == "Bearer new"


async def test_a_refused_token_file_is_read_again(server: SecureApi, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")
    file = server.kubeconfig({"tokenFile": "token"})
    server.accepted_token = "new"
    credentials = load_context(file).credentials
    async with ApiClient(credentials, attempts=2) as api:
        with pytest.raises(ForbiddenError, match="Unauthorized"):
            await api.get("/version")
        token.write_text("new")
        await api.get("/version")
    assert server.last.headers["Authorization"] == "Bearer new"


async def test_a_plugin_may_return_a_client_certificate(server: SecureApi) -> None:
    certificate = server.ca.issue_cert("ann@example.org", common_name="ann")
    status = {
        "clientCertificateData": certificate.cert_chain_pems[0].bytes().decode(),
        "clientKeyData": certificate.private_key_pem.bytes().decode(),
    }
    await call(server.kubeconfig(server.plugin(status)))
    assert "ann" in server.subjects[-1]
    assert "Authorization" not in server.last.headers


async def test_client_certificates_of_files_relative_to_the_kubeconfig(
    server: SecureApi, tmp_path: Path
) -> None:
    certificate = server.ca.issue_cert("bob@example.org", common_name="bob")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "bob.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "bob.key")
    await call(server.kubeconfig({"client-certificate": "bob.pem", "client-key": "bob.key"}))
    assert "bob" in server.subjects[-1]


async def test_two_files_are_merged_and_a_context_is_chosen(
    server: SecureApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = server.kubeconfig({"token": "of-first"}, "first")
    second = server.kubeconfig({"token": "of-second"}, "second")
    monkeypatch.setenv("KUBECONFIG", f"{first}:{second}")
    await call()
    assert server.last.headers["Authorization"] == "Bearer of-first"
    await call(context="second")
    assert server.last.headers["Authorization"] == "Bearer of-second"


async def test_impersonation_is_sent_with_every_request(server: SecureApi) -> None:
    file = server.kubeconfig({"token": "t"})
    await call(file, times=2, username="ann", groups=("dev", "on-call"))
    for request in server.requests:
        assert request.headers["Impersonate-User"] == "ann"
        assert request.headers.getall("Impersonate-Group") == ["dev", "on-call"]


async def test_the_server_s_name_may_differ_from_its_address(server: SecureApi) -> None:
    server.host = "localhost"  # for which the server has no certificate
    file = server.kubeconfig({"token": "t"})
    with pytest.raises(UnavailableError, match="Certificate"):
        await call(file)
    named = {"certificate-authority": "ca.pem", "tls-server-name": "kube.internal"}
    await call(server.kubeconfig({"token": "t"}, cluster=named))
    await call(server.kubeconfig({"token": "t"}, cluster={"insecure-skip-tls-verify": True}))
    assert len(server.requests) == 2


async def test_another_authority_is_not_trusted(server: SecureApi, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    with pytest.raises(UnavailableError, match="Certificate"):
        await call(
            server.kubeconfig({"token": "t"}, cluster={"certificate-authority": "other.pem"})
        )
    assert server.requests == []
