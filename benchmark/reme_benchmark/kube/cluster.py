"""The cluster as the benchmark reaches it: every kind that a fault may touch.

`kubectl` (the module) is what the demonstration shows to people; a run of the benchmark makes
thousands of requests on two cores, and starting a process for each would be its own noise.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

from reme_api.content_types import JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH
from reme_kube.errors import AlreadyExistsError, NotFoundError
from reme_kube.http_client import ApiClient
from reme_kube.kubeconfig import find_credentials
from reme_kube.resources import RESOURCES
from reme_kube.workloads import equality_selector, list_resource

Object = dict[str, Any]
PatchKind = Literal["merge", "strategic", "json"]

_CONTENT: Mapping[PatchKind, str] = {
    "merge": MERGE_PATCH,
    "strategic": STRATEGIC_MERGE_PATCH,
    "json": JSON_PATCH,
}


@dataclass(frozen=True)
class Cluster:
    """One cluster; kinds are named as in manifests."""

    api: ApiClient

    @classmethod
    def from_environment(cls) -> Self:
        """Log in as KUBECONFIG says.

        Raises:
            ClusterError: there is no way to log in.
        """
        return cls(ApiClient(find_credentials(), timeout_seconds=20))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.api.aclose()

    async def get(self, kind: str, name: str, namespace: str = "") -> Object | None:
        """Return one object, or nothing when it does not exist."""
        try:
            return await self.api.get(self.path(kind, namespace, name))
        except NotFoundError:
            return None

    async def list(
        self, kind: str, namespace: str = "", labels: Mapping[str, str] | None = None
    ) -> "list[Object]":
        """Return the objects of a kind, of every namespace when none is named."""
        selector = equality_selector(labels or {})
        return await list_resource(self.api, RESOURCES[kind], namespace or None, selector)

    async def create(self, body: Object) -> Object:
        """Create an object; one of that name is an error (AlreadyExistsError)."""
        return await self.api.create(self._collection(body), body)

    async def ensure(self, body: Object) -> Object:
        """Create an object unless one of that name exists, and return what is there."""
        try:
            return await self.create(body)
        except AlreadyExistsError:
            return await self.api.get(f"{self._collection(body)}/{body['metadata']['name']}")

    async def apply(self, bodies: Iterable[Object], manager: str = "reme-benchmark") -> None:
        """Create the objects, or change them to what is given (server-side apply, forced)."""
        for body in bodies:
            path = f"{self._collection(body)}/{body['metadata']['name']}"
            await self.api.apply(path, body, manager=manager)

    async def replace(self, body: Object) -> Object:
        """Replace an object by one that was read and changed."""
        return await self.api.replace(f"{self._collection(body)}/{body['metadata']['name']}", body)

    async def patch(
        self, kind: str, name: str, namespace: str, body: Any, how: PatchKind = "strategic"
    ) -> Object:
        """Change one object."""
        path = self.path(kind, namespace, name)
        return await self.api.patch(path, body, content_type=_CONTENT[how])

    async def delete(
        self, kind: str, name: str, namespace: str = "", grace: int | None = None
    ) -> bool:
        """Delete one object; return whether there was one."""
        body: Object = {"propagationPolicy": "Background"}
        if grace is not None:
            body["gracePeriodSeconds"] = grace
        try:
            await self.api.delete(self.path(kind, namespace, name), body)
        except NotFoundError:
            return False
        return True

    @staticmethod
    def path(kind: str, namespace: str = "", name: str = "") -> str:
        """Return where a kind, or one object of it, is served."""
        return RESOURCES[kind].path(namespace or None, name or None)

    def _collection(self, body: Object) -> str:
        return self.path(body["kind"], body["metadata"].get("namespace", ""))
