"""How the operator proves to the API server who it is: a service account, or a kubeconfig."""

import base64
import ssl
import tempfile
from dataclasses import dataclass, field
from os import environ
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import yaml

from reme_kube.errors import ClusterError

_MOUNTED = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TOKEN_SECONDS = 60.0
"""How long a token that was read is used: the kubelet renews the file long before it expires."""


class CredentialsError(ClusterError):
    """There is no way to log in, or the one there is cannot be used."""


@dataclass(slots=True)
class Credentials:
    """Where the API server is, and what to show it."""

    server: str
    tls: ssl.SSLContext | None = field(repr=False)
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    anonymous: ssl.SSLContext | None = field(default=None, repr=False)
    """The same trust without a client certificate, which would win over a token."""
    _read_at: float = field(default=float("-inf"), repr=False)

    def headers(self, now: float, *, fresh: bool = False) -> dict[str, str]:
        """Return the header that authenticates; the token's file is read again once a minute."""
        if self.token_file and (fresh or now - self._read_at > _TOKEN_SECONDS):
            try:
                self.token = self.token_file.read_text().strip()
            except OSError as error:
                raise CredentialsError(f"the token cannot be read: {error.strerror}") from error
            self._read_at = now
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def with_token(self, token: str) -> "Credentials":
        """Return the way to the same server for whoever the token stands for."""
        return Credentials(self.server, self.anonymous or self.tls, token=token)


def find_credentials() -> Credentials:
    """Return those of the pod's service account, else of KUBECONFIG, else of ~/.kube/config.

    Raises:
        CredentialsError: when there are none, or they are of a kind that reme does not know.

    """
    host = environ.get("KUBERNETES_SERVICE_HOST")
    if host and (_MOUNTED / "token").is_file():
        bracketed = f"[{host}]" if ":" in host else host
        port = environ.get("KUBERNETES_SERVICE_PORT", "443")
        tls = ssl.create_default_context(cafile=str(_MOUNTED / "ca.crt"))
        return Credentials(f"https://{bracketed}:{port}", tls, token_file=_MOUNTED / "token")
    return from_kubeconfig(Path(environ.get("KUBECONFIG") or "~/.kube/config").expanduser())


def from_kubeconfig(path: Path) -> Credentials:
    """Return the credentials of the current context of one kubeconfig file."""
    try:
        config = yaml.safe_load(path.read_text())
        context = _named(config["contexts"], config["current-context"])["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        user = _named(config["users"], context["user"])["user"]
        server = str(cluster["server"]).rstrip("/")
    except OSError as error:
        raise CredentialsError(
            f"neither in a pod nor with a kubeconfig: {path.name}: {error.strerror}"
        ) from error
    except (yaml.YAMLError, KeyError, TypeError, StopIteration) as error:
        raise CredentialsError(f"{path.name} is not a complete kubeconfig") from error
    if "exec" in user or "auth-provider" in user:
        raise CredentialsError(
            f"{path.name}: plugins that log in are not supported; use a token or a certificate"
        )
    token_file = user.get("tokenFile")
    secure = urlsplit(server).scheme == "https"
    return Credentials(
        server,
        _tls(cluster, user, path.parent) if secure else None,
        token=user.get("token", ""),
        token_file=path.parent / token_file if token_file else None,
        anonymous=_tls(cluster, {}, path.parent) if secure else None,
    )


def connector(credentials: Credentials) -> aiohttp.TCPConnector:
    """Return the connections to the API server; at most 32 at once, so that it is not flooded."""
    return aiohttp.TCPConnector(limit=32, ssl=credentials.tls or True)


def _named(items: list[Any], name: str) -> Any:
    return next(item for item in items if item["name"] == name)


def _tls(cluster: dict[str, Any], user: dict[str, Any], folder: Path) -> ssl.SSLContext:
    try:
        authority = _pem(cluster, "certificate-authority", folder)
        context = ssl.create_default_context(cadata=authority.decode() if authority else None)
        if cluster.get("insecure-skip-tls-verify"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        certificate = _pem(user, "client-certificate", folder)
        key = _pem(user, "client-key", folder)
        if certificate and key:
            # Python takes a key from files only; this one is readable by its owner and short-lived.
            with tempfile.NamedTemporaryFile() as both:
                both.write(certificate + b"\n" + key)
                both.flush()
                context.load_cert_chain(both.name)
    except (OSError, ValueError, ssl.SSLError) as error:
        raise CredentialsError(f"the kubeconfig's certificates cannot be used: {error}") from error
    return context


def _pem(part: dict[str, Any], name: str, folder: Path) -> bytes:
    if data := part.get(f"{name}-data"):
        return base64.b64decode(data)
    file = part.get(name)
    return (folder / file).read_bytes() if file else b""
