"""Server-side dry runs under the identity of a run: the API server decides, nothing is changed.

The operator requests a short-lived token of the run's ServiceAccount, bound to no pod. The chart's
admission policies allow such a token dry runs only, so that its holder cannot write.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from reme_kube.errors import ClusterError
from reme_kube.http_client import ApiClient
from reme_kube.resources import Json

TOKEN_SECONDS = 600
"""The shortest lifetime that Kubernetes gives a token; it also ends with its ServiceAccount."""

_DRY_RUN = {"dryRun": "All"}


class ApiDryRun:
    """The API server under the identity of one run; every write is a dry run."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    async def read(self, path: str) -> Json:
        """Return the object at a path."""
        return await self._api.get(path)

    async def send(self, method: str, path: str, body: Any, content_type: str) -> Json:
        """Return the object as it would be after the write.

        Raises:
            ClusterError: the write would be rejected, with the API server's message.

        """
        if method == "DELETE":
            return await self._api.delete(path, params=_DRY_RUN)
        if method == "PATCH":
            params: Mapping[str, str] = _DRY_RUN | {"fieldManager": "reme-run"}
            return await self._api.patch(path, body, params=params, content_type=content_type)
        raise ClusterError(f"a run sends DELETE and PATCH only, not {method}")


@contextlib.asynccontextmanager
async def dry_run_as(api: ApiClient, namespace: str, account: str) -> AsyncIterator[ApiDryRun]:
    """Act as the ServiceAccount of a run until the end of the block, for dry runs only.

    Raises:
        ClusterError: the API server issues no token.

    """
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": TOKEN_SECONDS},
    }
    response = await api.create(path, request)
    token = str((response.get("status") or {}).get("token") or "")
    if not token:
        raise ClusterError(f"ServiceAccount {namespace}/{account}: the issued token is empty")
    async with api.with_token(token) as impersonated:
        yield ApiDryRun(impersonated)
