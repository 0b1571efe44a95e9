"""How a process identifies itself to the API server."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from os import environ
from pathlib import Path

import aiohttp

from reme_kube.errors import ClusterError

_MOUNTED = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_RENEWAL_SECONDS = 60.0
"""How long a token that was read is used: the kubelet renews the file long before it expires."""


class CredentialsError(ClusterError):
    """No credentials exist, or they cannot be used."""


@dataclass(slots=True)
class Credentials:
    """Address of the API server, and what identifies the client to it."""

    server: str
    tls: ssl.SSLContext | None = field(repr=False)
    token: str = field(default="", repr=False)
    read_authorization: Callable[[bool], str] | None = field(default=None, repr=False)
    """Returns the header `Authorization`; True after the server refused the last one.

    Raises CredentialsError. It takes the place of `token`.
    """
    anonymous: ssl.SSLContext | None = field(default=None, repr=False)
    """The same trust without a client certificate, which would win over a token."""
    impersonation: tuple[tuple[str, str], ...] = ()
    """The headers `Impersonate-User` and `Impersonate-Group`."""
    tls_server_name: str | None = None
    proxy: str | None = None
    _authorization: str = field(default="", repr=False)
    _read_at: float = field(default=float("-inf"), repr=False)

    def headers(self, now: float, *, fresh: bool = False) -> dict[str, str]:
        """Return the header that authenticates; it is read again once a minute."""
        if self.read_authorization is None:
            return {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if fresh or now - self._read_at > _RENEWAL_SECONDS:
            self._authorization = self.read_authorization(fresh)
            self._read_at = now
        return {"Authorization": self._authorization} if self._authorization else {}

    def with_token(self, token: str) -> "Credentials":
        """Return credentials for the same server and the identity of the token."""
        return Credentials(
            self.server,
            self.anonymous or self.tls,
            token=token,
            tls_server_name=self.tls_server_name,
            proxy=self.proxy,
        )


def service_account() -> Credentials | None:
    """Return the credentials of the pod's service account; None outside a pod."""
    host, token = environ.get("KUBERNETES_SERVICE_HOST"), _MOUNTED / "token"
    if not host or not token.is_file():
        return None

    def read(_refused: bool) -> str:
        try:
            return f"Bearer {token.read_text().strip()}"
        except OSError as error:
            raise CredentialsError(f"{token} cannot be read: {error.strerror}") from error

    bracketed = f"[{host}]" if ":" in host else host
    port = environ.get("KUBERNETES_SERVICE_PORT", "443")
    tls = ssl.create_default_context(cafile=str(_MOUNTED / "ca.crt"))
    return Credentials(f"https://{bracketed}:{port}", tls, read_authorization=read)


def service_account_namespace() -> str:
    """Return the namespace of the pod."""
    try:
        return (_MOUNTED / "namespace").read_text().strip()
    except OSError:
        return "default"


def connector(credentials: Credentials, limit: int) -> aiohttp.TCPConnector:
    """Return a pool of at most so many connections to the API server; 0 is no limit."""
    return aiohttp.TCPConnector(limit=limit, ssl=credentials.tls or True)
