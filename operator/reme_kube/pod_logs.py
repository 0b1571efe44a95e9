"""Reads the log of a container, bounded in lines and bytes."""

from datetime import datetime

from reme_kube.http_client import ApiClient
from reme_kube.resources import PODS

_TIMEOUT_SECONDS = 8.0
_SHORTER = 10
"""By how much fewer lines are read when the last ones are too large together."""


async def pod_log(
    api: ApiClient,
    namespace: str,
    pod: str,
    container: str,
    *,
    previous: bool = False,
    since: datetime | None = None,
    max_lines: int,
    max_bytes: int,
) -> str:
    """Return the end of a log, each line with its time; with `since`, its begin from then on.

    The API server cuts a log that is too large at its end, which tells most: then fewer lines are
    read.

    Raises:
        ClusterError: there is no such log, or it could not be read.

    """
    params = {
        "container": container,
        "previous": str(previous).lower(),
        "timestamps": "true",
        "limitBytes": str(max_bytes),
    }
    path = PODS.path(namespace, pod, "log")
    if since is not None:
        params["sinceTime"] = since.isoformat(timespec="seconds").replace("+00:00", "Z")
        return await api.get_text(path, params, _TIMEOUT_SECONDS, max_bytes)
    while True:
        params["tailLines"] = str(max_lines)
        text = await api.get_text(path, params, _TIMEOUT_SECONDS, max_bytes)
        if len(text.encode()) < max_bytes or max_lines <= 1:
            return text
        max_lines = max(1, max_lines // _SHORTER)
