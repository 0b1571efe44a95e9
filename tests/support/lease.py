"""A lease in memory, for those who ask for one."""

import copy
from typing import Any

from reme_kube.errors import (
    AlreadyExistsError,
    ConflictError,
    NotFoundError,
    UnavailableError,
)


class FakeStore:
    """A lease as the API server keeps it; `down` cuts those who use it off."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.down = False
        self.before_replace: list[Any] = []

    async def read(self) -> dict[str, Any]:
        if self.down:
            raise UnavailableError("down")
        if self.lease is None:
            raise NotFoundError("no lease")
        return copy.deepcopy(self.lease)

    async def create(self, spec: dict[str, Any]) -> dict[str, Any]:
        if self.lease is not None:
            raise AlreadyExistsError("taken")
        return self._write(spec)

    async def replace(self, lease: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
        if self.down:
            raise UnavailableError("down")
        if self.before_replace:
            self.before_replace.pop()()
        if lease["metadata"]["resourceVersion"] != str(self.version):
            raise ConflictError("changed")
        return self._write(spec)

    def _write(self, spec: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        self.lease = {"metadata": {"resourceVersion": str(self.version)}, "spec": dict(spec)}
        return copy.deepcopy(self.lease)

    @property
    def spec(self) -> dict[str, Any]:
        assert self.lease is not None
        spec: dict[str, Any] = self.lease["spec"]
        return spec
