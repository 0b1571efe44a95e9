"""Logging in to a real API server in the ways that managed clusters use."""

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from reme_kube.http_client import ApiClient
from reme_kube.kubeconfig import load_context
from tests.e2e.crds.conftest import server

pytestmark = pytest.mark.cluster

REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
TOKEN = "/api/v1/namespaces/default/serviceaccounts/default/token"


@pytest.fixture
def admin() -> dict[str, Any]:
    """The kubeconfig of the cluster's administrator, who has a client certificate."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG is not set: these tests need a real API server")
    document: dict[str, Any] = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    return document


def logged_in_with(folder: Path, admin: dict[str, Any], user: dict[str, Any]) -> str:
    """Write the kubeconfig with another user in place of the administrator; return its path."""
    name = admin["users"][0]["name"]
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(admin | {"users": [{"name": name, "user": user}]}))
    return str(file)


def plugin(folder: Path, status: dict[str, str]) -> dict[str, Any]:
    """Return a user whose login plugin returns that status."""
    version = "client.authentication.k8s.io/v1"
    credential = {"apiVersion": version, "kind": "ExecCredential", "status": status}
    script = folder / "plugin.py"
    script.write_text(f"print({json.dumps(json.dumps(credential))})")
    command = {"command": sys.executable, "args": [str(script)], "interactiveMode": "Never"}
    return {"exec": {"apiVersion": version, **command}}


async def identity(paths: str, **options: Any) -> tuple[str, set[str]]:
    """Return the name and the groups by which the API server knows the context's user."""
    async with ApiClient(load_context(paths, **options).credentials) as api:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = await api.create(REVIEWS, review)
    info = answer["status"]["userInfo"]
    return info["username"], set(info.get("groups", ()))


async def service_account_token() -> str:
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    async with server() as api:
        answer = await api.create(TOKEN, request)
    return str(answer["status"]["token"])


async def test_a_plugin_s_token(admin: dict[str, Any], tmp_path: Path) -> None:
    user = plugin(tmp_path, {"token": await service_account_token()})
    name, _ = await identity(logged_in_with(tmp_path, admin, user))
    assert name == "system:serviceaccount:default:default"


async def test_a_plugin_s_certificate(admin: dict[str, Any], tmp_path: Path) -> None:
    user = admin["users"][0]["user"]
    status = {
        f"client{part}Data": base64.b64decode(user[f"client-{part.lower()}-data"]).decode()
        for part in ("Certificate", "Key")
    }
    name, _ = await identity(logged_in_with(tmp_path, admin, plugin(tmp_path, status)))
    assert name == (await identity(os.environ["KUBECONFIG"]))[0]


async def test_a_token_file(admin: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "token").write_text(await service_account_token())
    name, _ = await identity(logged_in_with(tmp_path, admin, {"tokenFile": "token"}))
    assert name == "system:serviceaccount:default:default"


async def test_impersonation(admin: dict[str, Any]) -> None:
    name, groups = await identity(
        os.environ["KUBECONFIG"], username="ann", groups=("dev", "on-call")
    )
    assert name == "ann"
    assert groups >= {"dev", "on-call"}


async def test_two_files(admin: dict[str, Any], tmp_path: Path) -> None:
    other = tmp_path / "other"
    context = {"cluster": admin["clusters"][0]["name"], "user": "account", "namespace": "shop"}
    token = await service_account_token()
    other.write_text(
        yaml.safe_dump(
            {
                "current-context": "other",
                "contexts": [{"name": "other", "context": context}],
                "users": [{"name": "account", "user": {"token": token}}],
            }
        )
    )
    both = f"{os.environ['KUBECONFIG']}:{other}"
    assert (await identity(both))[0] == (await identity(os.environ["KUBECONFIG"]))[0]
    name, _ = await identity(both, context="other")
    assert name == "system:serviceaccount:default:default"
    assert load_context(both, "other").namespace == "shop"
