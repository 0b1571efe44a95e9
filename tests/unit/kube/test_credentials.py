import ssl
from pathlib import Path
from typing import Any

import pytest
import yaml

from reme_kube.credentials import CredentialsError, find_credentials, from_kubeconfig


def kubeconfig(folder: Path, user: dict[str, Any], **cluster: Any) -> Path:
    file = folder / "kubeconfig"
    cluster = {"server": "https://127.0.0.1:6443/"} | cluster
    document = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
    }
    file.write_text(yaml.safe_dump(document))
    return file


def test_a_token_of_a_kubeconfig_is_sent_and_never_shown(tmp_path: Path) -> None:
    found = from_kubeconfig(kubeconfig(tmp_path, {"token": "k-123"}))
    assert found.server == "https://127.0.0.1:6443"
    assert found.headers(0) == {"Authorization": "Bearer k-123"}
    assert "k-123" not in repr(found)
    assert found.tls is not None
    assert found.tls.verify_mode is ssl.CERT_REQUIRED


def test_a_token_file_is_read_again_after_a_minute(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one")
    found = from_kubeconfig(kubeconfig(tmp_path, {"tokenFile": "token"}))
    assert found.headers(0)["Authorization"] == "Bearer one"
    token.write_text("two")
    assert found.headers(59)["Authorization"] == "Bearer one"
    assert found.headers(61)["Authorization"] == "Bearer two"
    token.unlink()
    with pytest.raises(CredentialsError, match="cannot be read"):
        found.headers(200)


def test_plain_http_needs_no_certificates(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, {}, server="http://127.0.0.1:8001")
    assert from_kubeconfig(file).tls is None


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ({"exec": {"command": "aws"}}, "plugins"),
        ({"client-certificate-data": "bm8=", "client-key-data": "bm8="}, "certificates"),
        ({"client-certificate": "missing.pem", "client-key": "missing.pem"}, "certificates"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, user: dict[str, Any], why: str) -> None:
    with pytest.raises(CredentialsError, match=why):
        from_kubeconfig(kubeconfig(tmp_path, user))


@pytest.mark.parametrize("text", ["", "[]", "a: b", "current-context: x", "{"])
def test_half_a_kubeconfig_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(CredentialsError, match="not a complete kubeconfig"):
        from_kubeconfig(file)


def test_nothing_at_all_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(CredentialsError, match="neither in a pod nor with a kubeconfig"):
        find_credentials()
