"""Dry runs under the identity of a run: the API server judges, and nothing is changed.

The token is asked for by the operator, bound to no pod and short-lived. The chart's admission
policies let such a token do dry runs and nothing else, so that whoever holds it cannot write.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from reme_kube.errors import ClusterError
from reme_kube.http_client import ApiClient, Json

TOKEN_SECONDS = 600
"""The shortest life that Kubernetes gives a token; it also ends with its ServiceAccount."""

_DRY = {"dryRun": "All"}


class ApiDryRun:
    """The API server, as one run sees it; every write is a dry run."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    async def read(self, path: str) -> Json:
        """Return what is there."""
        return await self._api.get(path)

    async def send(self, method: str, path: str, body: Any, content_type: str) -> Json:
        """Return what would be there after the write.

        Raises:
            ClusterError: the write would be refused, with the API server's words.

        """
        if method == "DELETE":
            return await self._api.delete(path, params=_DRY)
        if method == "PATCH":
            params: Mapping[str, str] = _DRY | {"fieldManager": "reme-run"}
            return await self._api.patch(path, body, params=params, content_type=content_type)
        raise ClusterError(f"a run sends no {method}")


@contextlib.asynccontextmanager
async def rehearsal(api: ApiClient, namespace: str, account: str) -> AsyncIterator[ApiDryRun]:
    """Become the ServiceAccount of a run until the end of the block, for dry runs only.

    Raises:
        ClusterError: there is no token to be had.

    """
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    asked = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": TOKEN_SECONDS},
    }
    granted = await api.create(path, asked)
    token = str((granted.get("status") or {}).get("token") or "")
    if not token:
        raise ClusterError(f"ServiceAccount {namespace}/{account}: the token is empty")
    async with api.with_token(token) as same:
        yield ApiDryRun(same)
