"""What the loader makes of kubeconfig files; `tests/integration/kube` logs in with them."""

import ssl
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from reme_kube.credentials import CredentialsError
from reme_kube.kubeconfig import find_credentials, load_context


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


def kubeconfig(
    folder: Path, user: dict[str, Any], name: str = "here", namespace: str = "", **cluster: Any
) -> str:
    """Write a kubeconfig with one context, which is the current one; return its path."""
    file = folder / f"{name}.yaml"
    selected = {"cluster": f"c-{name}", "user": f"u-{name}"}
    if namespace:
        selected["namespace"] = namespace
    document = {
        "current-context": name,
        "contexts": [{"name": name, "context": selected}],
        "clusters": [
            {"name": f"c-{name}", "cluster": {"server": "https://127.0.0.1:6443/"} | cluster}
        ],
        "users": [{"name": f"u-{name}", "user": user}],
    }
    file.write_text(yaml.safe_dump(document))
    return str(file)


def test_a_token(tmp_path: Path) -> None:
    context = load_context(kubeconfig(tmp_path, {"token": "k-123"}, namespace="shop"))
    assert (context.name, context.namespace) == ("here", "shop")
    assert context.credentials.server == "https://127.0.0.1:6443"
    assert context.credentials.headers(0) == {"Authorization": "Bearer k-123"}
    assert "k-123" not in repr(context)
    assert context.credentials.tls is not None
    assert context.credentials.tls.verify_mode is ssl.CERT_REQUIRED


def test_a_token_file_is_read_again_after_a_refusal(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one")
    credentials = load_context(kubeconfig(tmp_path, {"tokenFile": "token"})).credentials
    assert credentials.headers(0)["Authorization"] == "Bearer one"
    token.write_text("two")
    assert credentials.headers(59)["Authorization"] == "Bearer one"
    assert credentials.headers(60, fresh=True)["Authorization"] == "Bearer two"


def test_plain_http_needs_no_certificates(tmp_path: Path) -> None:
    context = load_context(kubeconfig(tmp_path, {}, server="http://127.0.0.1:8001"))
    assert context.credentials.tls is None
    assert context.namespace == "default"


def test_the_first_of_several_files_names_the_context(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = kubeconfig(tmp_path, {"token": "1"}, "first")
    second = kubeconfig(tmp_path, {"token": "2"}, "second", namespace="shop")
    empty = tmp_path / "empty"
    empty.touch()
    monkeypatch.setenv("KUBECONFIG", f"{empty}:{tmp_path / 'missing'}:{first}:{second}")
    assert load_context().name == "first", "as kubectl has it"
    chosen = load_context(context="second")
    assert (chosen.name, chosen.namespace) == ("second", "shop")
    assert chosen.credentials.headers(0)["Authorization"] == "Bearer 2"
    with pytest.raises(
        CredentialsError, match="no context third; use --context with one of: first, second"
    ):
        load_context(context="third")


def test_impersonation_proxy_and_server_name(tmp_path: Path) -> None:
    cluster = {"tls-server-name": "kube.internal", "proxy-url": "http://proxy:3128"}
    credentials = load_context(
        kubeconfig(tmp_path, {"token": "t"}, **cluster), username="ann", groups=("a", "b")
    ).credentials
    assert credentials.impersonation == (
        ("Impersonate-User", "ann"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
    )
    assert (credentials.tls_server_name, credentials.proxy) == (
        "kube.internal",
        "http://proxy:3128",
    )


def test_a_proxy_of_the_environment_is_used_unless_the_server_is_excepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    file = kubeconfig(tmp_path, {"token": "t"}, server="https://kube.example")
    assert load_context(file).credentials.proxy == "http://proxy:3128"
    monkeypatch.setenv("NO_PROXY", ".example")
    assert load_context(file).credentials.proxy is None


FAILING_PLUGIN = {
    "exec": {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "sh",
        "args": ["-c", "echo the session has expired >&2; exit 3"],
        "interactiveMode": "Never",
    }
}


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        (FAILING_PLUGIN, "login plugin sh of context here failed:.* the session has expired"),
        ({"exec": FAILING_PLUGIN["exec"] | {"command": "no-such-plugin"}}, "no-such-plugin"),
        ({"client-certificate-data": "bm8=", "client-key-data": "bm8="}, "certificates"),
        ({"client-certificate": "missing.pem", "client-key": "missing.pem"}, "missing.pem"),
    ],
)
def test_credentials_that_cannot_be_used(tmp_path: Path, user: dict[str, Any], reason: str) -> None:
    with pytest.raises(CredentialsError, match=reason):
        load_context(kubeconfig(tmp_path, user))


@pytest.mark.parametrize("text", ["[]", "a: b", "current-context: x", "{", "contexts: 1", "\0"])
def test_half_a_kubeconfig_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(CredentialsError, match=str(file)):
        load_context(str(file))


def test_no_current_context_lists_those_there_are(tmp_path: Path) -> None:
    file = Path(kubeconfig(tmp_path, {"token": "t"}))
    file.write_text(file.read_text().replace("current-context: here", "current-context: ''"))
    with pytest.raises(CredentialsError, match="use --context with one of: here"):
        load_context(str(file))


def test_no_kubeconfig_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(CredentialsError, match="none does not exist or is empty; set KUBECONFIG"):
        find_credentials()


def test_without_the_official_client_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes.client", None)
    with pytest.raises(CredentialsError, match=r"pip install 'reme\[cli\]'"):
        load_context(kubeconfig(tmp_path, {"token": "t"}))
