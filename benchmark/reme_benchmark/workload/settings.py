"""What a workload is told by its environment, and how it says that something makes no sense."""

from collections.abc import Mapping
from typing import NamedTuple

from reme_benchmark.workload.plain_http import place

MODES = ("normal", "maintenance")


class SettingsError(Exception):
    """A variable is missing or makes no sense; the message names it."""


class WorkloadSettings(NamedTuple):
    """What the service does with each request.

    Each field is a variable of the same name in capitals. Of the numbers, those in milliseconds,
    per cent and KiB are per request, `memory_mebibytes` and `fill_mebibytes` per instance.
    """

    name: str = "workload"
    version: str = "1"
    mode: str = "normal"
    """`maintenance` refuses every request and is not ready."""
    port: int = 8080
    calls: tuple[str, ...] = ()
    """URLs that every request asks; one that ends with `/*` gets the path of the request."""
    routes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """More URLs for requests whose path begins with a prefix: `/a=http://b:1/,http://c:1/;/d=…`."""
    call_timeout_milliseconds: float = 1500
    retries: int = 0
    """How often a failed call is repeated; many of them are a storm."""
    retry_milliseconds: float = 100
    cpu_milliseconds: float = 1
    latency_milliseconds: float = 0
    fail_percent: float = 0
    memory_mebibytes: float = 4
    leak_kibibytes: float = 0
    disk_kibibytes: int = 0
    scratch: str = "/scratch"
    fill_mebibytes: int = 0
    """Written to the scratch directory at start, and kept."""
    startup_seconds: float = 0
    """How long nobody listens yet."""
    post_fail_percent: float = 0
    """Of requests with method POST, beside `fail_percent`."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "WorkloadSettings":
        """Read the settings.

        Raises:
            SettingsError: a variable that REQUIRED names is not set, or a value makes no sense.
        """
        for key in _listed(environment.get("REQUIRED", "")):
            if not environment.get(key):
                raise SettingsError(f"{key} is required and not set")
        values: dict[str, object] = {}
        for field, default in cls._field_defaults.items():
            key = field.upper()
            given = environment.get(key)
            if given is None:
                continue
            if field == "calls":
                values[field] = _urls(key, given)
            elif field == "routes":
                values[field] = _routes(given)
            elif isinstance(default, str):
                values[field] = given
            else:
                values[field] = type(default)(_number(key, given))
        if values.get("mode", "normal") not in MODES:
            raise SettingsError(f"MODE must be one of {', '.join(MODES)}, not {values['mode']!r}")
        return cls(**values)  # type: ignore[arg-type]

    def calls_for(self, path: str) -> tuple[str, ...]:
        """Return the URLs that a request of this path asks; the longest prefix decides."""
        fitting = [route for route in self.routes if path.startswith(route[0])]
        chosen = max(fitting, key=lambda route: len(route[0]), default=("", ()))
        return (*self.calls, *chosen[1])


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _number(key: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise SettingsError(f"{key} must be a number, not {text!r}") from None
    if not 0 <= number < 1e9:
        raise SettingsError(f"{key} must be between 0 and 1e9, not {text!r}")
    return number


def _urls(key: str, text: str) -> tuple[str, ...]:
    urls = _listed(text)
    for url in urls:
        try:
            place(url)
        except ValueError as error:
            raise SettingsError(f"{key}: {error}") from None
    return urls


def _routes(text: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    routes = []
    for part in filter(None, (p.strip() for p in text.split(";"))):
        prefix, equals, urls = part.partition("=")
        if not equals or not prefix.startswith("/"):
            raise SettingsError(f"ROUTES must be like /path=http://name:1/, not {part!r}")
        routes.append((prefix, _urls("ROUTES", urls)))
    return tuple(routes)
