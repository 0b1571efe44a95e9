from pathlib import Path

import pytest
import trustme

from reme_kube import credentials as module
from reme_kube.credentials import Credentials, CredentialsError, service_account
from reme_kube.kubeconfig import load_context


def test_a_token_is_sent_and_never_shown() -> None:
    token_credentials = Credentials("https://127.0.0.1:6443", None, token="k-123")
    assert token_credentials.headers(0) == {"Authorization": "Bearer k-123"}
    assert "k-123" not in repr(token_credentials)


def test_the_header_is_read_again_after_a_minute_or_a_refusal() -> None:
    values = iter(["Bearer one", "Bearer two", "Bearer three"])
    renewed = Credentials(
        "https://127.0.0.1", None, read_authorization=lambda _refused: next(values)
    )
    assert renewed.headers(0)["Authorization"] == "Bearer one"
    assert renewed.headers(59)["Authorization"] == "Bearer one"
    assert renewed.headers(61)["Authorization"] == "Bearer two"
    assert renewed.headers(62, fresh=True)["Authorization"] == "Bearer three"
    assert "three" not in repr(renewed)


def test_another_identity_has_neither_the_certificate_nor_the_impersonation() -> None:
    own = Credentials(
        "https://127.0.0.1",
        None,
        read_authorization=lambda _refused: "Bearer mine",
        impersonation=(("Impersonate-User", "ann"),),
        tls_server_name="kube.internal",
        proxy="http://proxy:3128",
    )
    other = own.with_token("theirs")
    assert other.headers(0) == {"Authorization": "Bearer theirs"}
    assert other.impersonation == ()
    assert (other.tls_server_name, other.proxy) == ("kube.internal", "http://proxy:3128")


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.crt")
    monkeypatch.setattr(module, "_MOUNTED", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "6443")
    return tmp_path


def test_a_pod_has_its_service_account(pod: Path) -> None:
    assert service_account() is None, "without a token there is none"
    (pod / "token").write_text("one\n")
    account = service_account()
    assert account is not None
    assert account.server == "https://[fd00::1]:6443"
    assert account.headers(0)["Authorization"] == "Bearer one"
    (pod / "token").unlink()
    with pytest.raises(CredentialsError, match="cannot be read"):
        account.headers(200)


def test_without_a_kubeconfig_the_command_line_uses_it_too(
    pod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(pod / "none"))
    (pod / "token").write_text("one")
    (pod / "namespace").write_text("tools")
    context = load_context(username="ann")
    assert (context.name, context.namespace) == ("", "tools")
    assert context.credentials.headers(0)["Authorization"] == "Bearer one"
    assert context.credentials.impersonation == (("Impersonate-User", "ann"),)
    with pytest.raises(CredentialsError, match="no kubeconfig"):
        load_context(str(pod / "none"))
