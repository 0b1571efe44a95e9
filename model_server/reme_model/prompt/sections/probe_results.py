"""What there is to say about what the report's probes showed: what users feel of the fault."""

import re
from collections.abc import Iterator, Mapping, Sequence

from reme_api.probes import HttpProbe, Probe, ProbeResult, ProbeVerdict, TcpProbe
from reme_model.prompt.redact import short
from reme_model.prompt.sections.lines import Line, Weight, normal, wrong
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_LEAST_SHARE = 40
"""Percent of a limit: less is never too much, however tight a probe may be."""
_QUICK = 100
"""Milliseconds: an answer within them is quick, however tight a probe may be."""
_TOOK = re.compile(r"took (\d+) ms\Z")


def healthy_percentages(probes: Sequence[Probe]) -> Mapping[str, int]:
    """Return the percentage of a limit that is healthy, by resource, where a probe says one."""
    return {
        str(p.resource_usage.resource): max(p.resource_usage.max_percent, _LEAST_SHARE)
        for p in probes
        if p.resource_usage
    }


def probe_result_lines(
    live: ClusterSnapshot, probes: Sequence[Probe], measured: Sequence[ProbeResult]
) -> Iterator[Line]:
    """Say what was measured, and which port is asked for that the Service does not have."""
    by_name = {probe.name: probe for probe in probes}
    for asked in {(p.service, p.port): p for p in (q.http or q.tcp for q in probes) if p}.values():
        yield from _missing_port(live, asked)
    for result in measured:
        probe = by_name.get(result.name)
        if probe is not None and result.verdict is not ProbeVerdict.UNKNOWN:
            yield from _result(probe, result, failed=result.verdict is ProbeVerdict.FAILED)


def _missing_port(live: ClusterSnapshot, asked: HttpProbe | TcpProbe) -> Iterator[Line]:
    service = live.service(asked.service)
    ports = [port.port for port in service.ports] if service else []
    if ports and asked.port not in ports:
        there = " and ".join(str(port) for port in ports[:3])
        yield wrong(
            f"service {asked.service} has no port {asked.port}, only {there}", Weight.NEEDED
        )


def _result(probe: Probe, result: ProbeResult, *, failed: bool) -> Iterator[Line]:
    answers = probe.http or probe.tcp
    if answers and (not failed or _is_quick(result)):
        yield normal(f"answers of {answers.service}")
    elif answers:
        said = _said(result.message, answers.service)
        most = probe.http.max_milliseconds if probe.http else None
        bound = f", at most {most} ms" if most and "took" in said else ""
        yield wrong(f"asked at port {answers.port}, {answers.service} {said}{bound}", Weight.NEEDED)
    elif probe.rollout and failed and not result.message.endswith("are available"):
        yield wrong(f"rollout: {short(result.message.rpartition(': ')[2], 80)}")


def _is_quick(result: ProbeResult) -> bool:
    took = _TOOK.search(result.message)
    return took is not None and int(took[1]) < _QUICK


def _said(message: str, service: str) -> str:
    if message.startswith(f"{service} "):
        return short(message.removeprefix(f"{service} "), 60)
    if "refused" in message.lower() or message.startswith("Connect call failed"):
        return "refuses the connection"
    if message.startswith("no answer"):
        return "gives " + short(message, 60)
    return f"fails: {short(message, 60)}"
