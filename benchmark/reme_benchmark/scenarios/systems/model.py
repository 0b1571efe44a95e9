"""What a system is: its services, who calls whom, and what each may use."""

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Role = Literal["front", "service", "database", "cache", "load"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Resources(_Model):
    """Kubernetes quantities, as the project publishes them."""

    cpu_request: str
    memory_request: str
    cpu_limit: str
    memory_limit: str


class Sidecar(Resources):
    """A container beside the service that only sleeps."""

    name: str


class Service(Resources):
    """One workload, its Service of the same name, and what it does with a request."""

    name: str
    kind: Literal["Deployment", "StatefulSet"] = "Deployment"
    role: Role = "service"
    replicas: int = 1
    port: int
    """Of the Service; the container's, too, unless `target_port` says otherwise."""
    target_port: int | None = None
    container: str = ""
    """Name of the container; the service's own when empty."""
    sidecars: tuple[Sidecar, ...] = ()
    calls: tuple[str, ...] = ()
    """Services that every request asks."""
    routes: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """More services for requests of a path; the longest prefix decides."""
    passes_path: bool = False
    """Whether what it calls gets the path of the request, as behind a proxy."""
    memory_mebibytes: int = 4
    cpu_milliseconds: float = 0.5
    writes_disk: bool = False
    disk_kibibytes: int = 16
    """Written and synced with each request, where it writes at all."""
    scratch_mebibytes: int = 64
    config: dict[str, str] = Field(default_factory=dict)
    """Variables that come from the ConfigMap NAME-config; each of them is required at start."""
    config_from: Literal["envFrom", "env"] = "envFrom"
    liveness: bool = False

    @property
    def container_name(self) -> str:
        """Name of the container that serves."""
        return self.container or self.name

    @property
    def container_port(self) -> int:
        """Where the container listens."""
        return self.target_port or self.port

    def asks(self) -> Iterator[str]:
        """Yield every service that some request asks."""
        yield from self.calls
        for names in self.routes.values():
            yield from names

    def asks_for(self, path: str) -> tuple[str, ...]:
        """Return the services that a request of this path asks."""
        prefix = max((p for p in self.routes if path.startswith(p)), key=len, default=None)
        return (*self.calls, *(self.routes[prefix] if prefix is not None else ()))


class System(_Model):
    """A whole system and its front door."""

    name: str
    title: str
    source: str
    """Where services, replicas, requests and limits come from."""
    front: str
    path: str = "/"
    """What users ask most."""
    paths: tuple[str, ...] = ()
    """Everything users ask, in turn; `path` alone when empty."""
    rate: float
    """Requests per second of all users together."""
    requests_scale: float = Field(default=1, gt=0, le=1)
    """Requests here are this share of what the project publishes, so that two cores carry it."""
    probe_period_seconds: int = 2
    probe_timeout_seconds: int = 1
    services: tuple[Service, ...]

    @model_validator(mode="after")
    def _names_and_ways_fit(self) -> Self:
        known = {service.name for service in self.services}
        if len(known) != len(self.services):
            raise ValueError("two services have the same name")
        if self.front not in known:
            raise ValueError(f"the front {self.front} is no service")
        for service in self.services:
            if unknown := set(service.asks()) - known:
                raise ValueError(f"{service.name} calls what is not there: {sorted(unknown)}")
            # Raises when it comes back to where it began.
            self._below(service.name, ())
        return self

    def service(self, name: str) -> Service:
        """Return one service.

        Raises:
            KeyError: there is none of that name.
        """
        for service in self.services:
            if service.name == name:
                return service
        raise KeyError(name)

    def user_paths(self) -> tuple[str, ...]:
        """Return everything users ask."""
        return self.paths or (self.path,)

    def callers(self, name: str) -> tuple[str, ...]:
        """Return the services that ask this one themselves."""
        return tuple(s.name for s in self.services if name in s.asks())

    def felt_on(self, name: str) -> tuple[str, ...]:
        """Return the paths of the front door on which users feel a fault of this service."""
        return tuple(path for path in self.user_paths() if name in self._touched(self.front, path))

    def _touched(self, name: str, path: str) -> set[str]:
        service = self.service(name)
        names = {name}
        for below in service.asks_for(path):
            names |= self._touched(below, path if service.passes_path else "/")
        return names

    def _below(self, name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"calls go in a circle: {' -> '.join((*above, name))}")
        for below in set(self.service(name).asks()):
            self._below(below, (*above, name))
