"""Describes the results of the report's probes: what users experience."""

import re
from collections.abc import Iterator, Mapping, Sequence

from reme_api.probes import (
    GrpcProbe,
    HttpMethod,
    HttpProbe,
    Probe,
    ProbeResult,
    ProbeVerdict,
    ServiceProbe,
)
from reme_model.prompt.redact import excerpt, short
from reme_model.prompt.sections.lines import Line, Weight, normal, wrong
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.views import selects

_MIN_PERCENT = 40
"""Percent of a limit. Usage below this is never called too high, whatever the probe's threshold."""
_FAST_MILLISECONDS = 100
"""Milliseconds. A faster response is never called slow, whatever the probe's threshold."""
_TOOK = re.compile(r"took ([0-9]{1,9}) ms\Z")


def healthy_percentages(probes: Sequence[Probe]) -> Mapping[str, int]:
    """Return the healthy percentage of a limit by resource, where a probe defines one."""
    return {
        str(p.resource_usage.resource): max(p.resource_usage.max_percent, _MIN_PERCENT)
        for p in probes
        if p.resource_usage
    }


def probe_result_lines(
    live: ClusterSnapshot, probes: Sequence[Probe], measured: Sequence[ProbeResult]
) -> Iterator[Line]:
    """Yield the results, and ports that probes use and the Service does not have."""
    by_name = {probe.name: probe for probe in probes}
    for address in {
        (request.service, request.port): request
        for request in (probe.request for probe in probes)
        if request
    }.values():
        yield from _missing_port(live, address)
    for result in measured:
        probe = by_name.get(result.name)
        if probe is not None and result.verdict is not ProbeVerdict.UNKNOWN:
            yield from _result(live, probe, result)


def _missing_port(live: ClusterSnapshot, address: ServiceProbe) -> Iterator[Line]:
    service = live.service(address.service)
    ports = [port.port for port in service.ports] if service else []
    names = [port.name for port in service.ports] if service else []
    if ports and address.port not in [*ports, *names]:
        existing = " and ".join(str(port) for port in ports[:3])
        yield wrong(
            f"service {address.service} has no port {address.port}, only {existing}",
            Weight.NEEDED,
        )


def _result(live: ClusterSnapshot, probe: Probe, result: ProbeResult) -> Iterator[Line]:
    address, failed = probe.request, result.verdict is ProbeVerdict.FAILED
    if address and (not failed or _is_fast(result)):
        yield normal(f"answers of {address.service}{_request(address)}")
    elif address:
        problem = _explain(result.message, address.service)
        limit = probe.http.max_milliseconds if probe.http else None
        bound = f", at most {limit} ms" if limit and "took" in problem else ""
        yield wrong(
            f"asked at port {address.port}{_request(address)},"
            f" {_named(address.service, live)} {problem}{bound} (probe {probe.name})",
            Weight.NEEDED,
        )
    elif probe.rollout and failed and not result.message.endswith("are available"):
        yield wrong(f"rollout: {excerpt(result.message.rpartition(': ')[2], 120)}")


def _request(address: ServiceProbe) -> str:
    """Return what was sent, where it is not a GET of `/`."""
    if isinstance(address, GrpcProbe):
        return " for its gRPC health"
    if not isinstance(address, HttpProbe):
        return ""
    method = "" if address.method is HttpMethod.GET else f"{address.method} "
    path = address.path.partition("?")[0]  # a query may hold a secret
    return f" for {method}{short(path, 60)}" if method or path != "/" else ""


def _named(service: str, live: ClusterSnapshot) -> str:
    """Return the Service; a caller fails with what it calls, so its failure is a sign of both."""
    view = live.service(service)
    calls = view is not None and any(
        selects(view.selector, live.neighbours.get(caller, {})) for caller in live.callers
    )
    return f"{service}, which calls it," if calls else service


def _is_fast(result: ProbeResult) -> bool:
    took = _TOOK.search(result.message)
    return took is not None and int(took[1]) < _FAST_MILLISECONDS


def _explain(message: str, service: str) -> str:
    if message.startswith(f"{service} "):
        return excerpt(message.removeprefix(f"{service} "), 100)
    if "refused" in message.lower() or message.startswith("Connect call failed"):
        return "refuses the connection"
    if message.startswith("no answer"):
        return "gives " + excerpt(message, 100)
    return f"fails: {excerpt(message, 100)}"
