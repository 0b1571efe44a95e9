"""A client of Prometheus that only queries, within bounds."""

import json
from datetime import datetime
from typing import Any, Protocol, Self

import aiohttp
from yarl import URL

from reme_playbook.inspections.metrics_query import Series
from reme_playbook.snapshot import unstructured

_MAX_BYTES = 256 * 1024
_MAX_SERIES = 50


class PrometheusError(Exception):
    """Prometheus gave no answer that can be read."""


class MetricsSource(Protocol):
    """Evaluates queries."""

    async def query(self, promql: str, at: datetime) -> tuple[Series, ...]:
        """Return the value of each series at a time.

        Raises:
            PrometheusError: there is no answer that can be read.

        """
        ...


class PrometheusClient:
    """Evaluates queries over HTTP; close it, or use it as a context manager."""

    def __init__(self, url: str, timeout_seconds: float = 5.0) -> None:
        self._url = URL(url.rstrip("/") + "/api/v1/query")
        self._timeout = timeout_seconds
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            await self._session.close()
            self._session = None

    async def query(self, promql: str, at: datetime) -> tuple[Series, ...]:
        """Return the value of each series at a time, at most 50.

        Raises:
            PrometheusError: there is no answer that can be read.

        """
        form = {"query": promql, "time": f"{at.timestamp():.3f}", "timeout": f"{self._timeout:g}s"}
        try:
            async with self._open().post(self._url, data=form, allow_redirects=False) as response:
                if response.status != 200:
                    raise PrometheusError(f"answered {response.status}")
                body = await response.content.read(_MAX_BYTES + 1)
                while len(body) <= _MAX_BYTES and (more := await response.content.read(_MAX_BYTES)):
                    body += more
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise PrometheusError(type(error).__name__) from error
        if len(body) > _MAX_BYTES:
            raise PrometheusError(f"the answer is larger than {_MAX_BYTES} bytes")
        return parse(body)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "reme"},
            )
        return self._session


def parse(body: bytes) -> tuple[Series, ...]:
    """Return the series of an answer.

    Raises:
        PrometheusError: it is no vector.

    """
    try:
        data: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise PrometheusError("the answer is no JSON") from error
    if unstructured.text(data, "data", "resultType") != "vector":
        raise PrometheusError("the answer is no vector")
    series = []
    for item in unstructured.items(data, "data", "result")[:_MAX_SERIES]:
        value = item.get("value")
        if isinstance(value, list) and len(value) == 2:
            try:
                series.append(Series(unstructured.strings(item, "metric"), float(value[1])))
            except (TypeError, ValueError):
                continue
    return tuple(series)
