"""Requests that fail according to a report, such as `POST /checkout 502`. Pure.

The texts are untrusted. What is found here decides which requests no probe covers, and a part of it
becomes a derived probe: a GET without a query, never one that only a log names.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from reme_api.diagnosis_report import DiagnosisReportSpec, EvidenceKind
from reme_api.probe_coverage import MAX_UNCOVERED
from reme_api.probes import HttpProbe, Probe

_PATH = r"/[A-Za-z0-9_.~/{}:%-]{0,200}"
_STATUS = r"([2-5][0-9]{2})\b(?! ?(?:ms|%|of|x|/))"
_SAYS = r"[ ]{0,3}(?:(?:[A-Za-z]{1,12}[ :=]{1,3}){0,3}|->|=>|[:=,(])[ ]{0,3}"
_REQUEST = re.compile(
    rf"\b(GET|HEAD|POST|PUT|PATCH|DELETE)[ ]{{1,3}}(?:https?://([A-Za-z0-9.:-]{{1,253}}))?({_PATH})"
)
_ANSWERED = re.compile(rf"(?<![A-Za-z0-9_/.:-])({_PATH}){_SAYS}{_STATUS}")
_METHOD_BEFORE = re.compile(r"\b[A-Z]{3,7} {1,3}\Z")
_STATUS_BEFORE = re.compile(r"\b([2-5][0-9]{2})s?\b(?: (?:on|at|for|from|of|to)|:|,)? {0,2}\Z")
_STATUS_AFTER = re.compile(rf"[\"']?(?: HTTP/[0-9.]{{1,3}})?[\"']?{_SAYS}{_STATUS}")
_FAILS = re.compile(r"fail|error|time[ds]? ?out|refused|down|broken|unavailable", re.IGNORECASE)
_NEAR = 60
_BARE_POST = re.compile(r"\bPOST(?:s|ed|ing)?\b(?! ?/| ?http)")
_IDENTIFIER = re.compile(r"\{.*\}|:.+|.*[0-9].*")
_NUMBERS = re.compile(r"[0-9.]+")
_MAX_REQUESTS = 32


class ReportedRequest(NamedTuple):
    """A request that fails according to a report; a part that is not known is empty."""

    method: str
    path: str
    status: int = 0
    in_log: bool = False

    def text(self) -> str:
        """Return it as people write it."""
        return f"{self.method} {self.path}".strip() or "a request"


def reported_requests(
    report: DiagnosisReportSpec, services: Iterable[str] = ()
) -> tuple[ReportedRequest, ...]:
    """Return the requests to the target that fail according to the report.

    A request with a host counts when the host is one of these Services, or outside of the cluster:
    any other is one that the target sends.
    """
    own = frozenset(services)
    texts = [(report.fault.summary, True, False)]
    texts += [(item.text, False, item.kind is EvidenceKind.LOG) for item in report.evidence]
    requests = [
        request
        for text, is_summary, in_log in texts
        for request in _requests_in(text, own, is_summary=is_summary, in_log=in_log)
    ]
    return tuple(dict.fromkeys(requests))[:_MAX_REQUESTS]


def uncovered_requests(
    requests: Sequence[ReportedRequest], probes: Sequence[Probe]
) -> tuple[str, ...]:
    """Return those that no probe sends, as people write them."""
    sent = [probe.http for probe in probes if probe.http]
    uncovered = [r for r in requests if not any(_covers(probe, r) for probe in sent)]
    return tuple(dict.fromkeys(request.text() for request in uncovered))[:MAX_UNCOVERED]


def _requests_in(
    text: str, services: frozenset[str], *, is_summary: bool, in_log: bool
) -> Iterator[ReportedRequest]:
    named = False
    least = 400 if is_summary else 500  # logs are full of 404 that harm nobody
    for match in islice(_REQUEST.finditer(text), _MAX_REQUESTS):
        method, host, path = match.groups()
        named = True
        if host and not _is_front(host, services):
            continue
        status, fails = _result(text, match.start(), match.end())
        if 0 < status < least or not (fails or status or is_summary):
            continue
        yield ReportedRequest(method, _without_punctuation(path), status, in_log)
    for match in islice(_ANSWERED.finditer(text), _MAX_REQUESTS):
        path = _without_punctuation(match[1])
        if int(match[2]) < least:
            continue
        if not _METHOD_BEFORE.search(text[max(0, match.start() - 16) : match.start()]):
            named = True
            yield ReportedRequest("", path, int(match[2]), in_log)
    if is_summary and not named and _BARE_POST.search(text):
        yield ReportedRequest("POST", "", 0, in_log)


def _result(text: str, start: int, end: int) -> tuple[int, bool]:
    """Return the status beside a request, 0 if there is none, and whether it is said to fail."""
    before, after = text[max(0, start - 24) : start], text[end : end + _NEAR]
    match = _STATUS_AFTER.match(after) or _STATUS_BEFORE.search(before)
    return int(match[1]) if match else 0, bool(_FAILS.search(after) or _FAILS.search(before))


def _without_punctuation(path: str) -> str:
    return path.rstrip(".:") or "/"


def _is_front(host: str, services: frozenset[str]) -> bool:
    """Return whether users reach the target by this host: its Service, or a name of the outside."""
    name = host.partition(":")[0].lower()
    first, _, domain = name.partition(".")
    if first in services:
        return True
    is_cluster_name = not domain or domain.endswith((".svc", ".svc.cluster.local"))
    return not is_cluster_name and not _NUMBERS.fullmatch(name)


def _covers(probe: HttpProbe, request: ReportedRequest) -> bool:
    method = "GET" if request.method == "HEAD" else request.method
    sent = "GET" if probe.method == "HEAD" else probe.method.value
    if method and method != sent:
        return False
    if not request.path:
        return True
    parts, expected = _segments(probe.path), _segments(request.path)
    return len(parts) == len(expected) and all(map(_same_segment, parts, expected))


def _segments(path: str) -> list[str]:
    return [part for part in path.partition("?")[0].split("/") if part]


def _same_segment(one: str, other: str) -> bool:
    """Return whether they are equal, or both are identifiers, such as those of products."""
    if one == other:
        return True
    return bool(_IDENTIFIER.fullmatch(one) and _IDENTIFIER.fullmatch(other))
