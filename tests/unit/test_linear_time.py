"""What reads text of others needs time that grows with its length, and not with its square.

Such text comes from models, containers and people, and is read on the operator's event loop. Time
is compared with time on the same machine: four times the text may take twelve times as long, where
a quadratic reader takes sixteen.
"""

import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from reme_api.diagnosis_report import DiagnosisReportSpec, Evidence, Fault, Target
from reme_api.report_input import normalised
from reme_model.inference.errors import ReplyError
from reme_model.inference.reply import MAX_CHARACTERS, parse_reply
from reme_model.prompt.redact import redact
from reme_operator.admission import storm
from reme_operator.probes.reported_requests import reported_requests
from reme_playbook.compiler.document import MAX_BYTES
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.inspections.logs.records import parse_records
from reme_playbook.inspections.logs.severity import judge
from reme_playbook.inspections.logs.templates import mine_templates
from reme_playbook.snapshot import quota_usage, reported_failures
from reme_playbook.snapshot.hosts import hosts_in
from reme_playbook.snapshot.sensitive import sensitive_value, shown

UNNOTICED_SECONDS = 0.05


def seconds(read: Callable[[str], object], text: str, tries: int) -> float:
    measured = []
    for _ in range(tries):
        begin = time.process_time()
        with suppress(ReplyError, RejectedPlaybookError):
            read(text)
        measured.append(time.process_time() - begin)
    return min(measured)


def repeated(unit: str, length: int) -> str:
    """Return a text of that length; a unit may begin with what stands once before it, and `…`."""
    once, _, unit = unit.rpartition("…")
    return (once + unit * (length // len(unit) + 1))[:length]


def refusals(message: str) -> object:
    return list(quota_usage.refusals([message]))


def named_nodes(text: str) -> object:
    return storm._NODE.findall(text)


def hosts_of_file(text: str) -> object:
    return hosts_in("settings", text)


def failure_of_host(text: str) -> object:
    return reported_failures.failure("a", [text])


def mine_records(text: str) -> object:
    return mine_templates(parse_records(text))


def named_requests(text: str) -> object:
    target = Target.model_validate({"kind": "Deployment", "name": "a"})
    items = [Evidence(text=text[start : start + 4096]) for start in range(0, len(text), 4096)]
    report = DiagnosisReportSpec(target=target, fault=Fault(type="a"), evidence=items)
    return reported_requests(report, ["a"])


def a_report(text: str) -> object:
    return normalised({"fault": {"type": text, "summary": text}, "evidence": [{"text": text}]})


READERS: dict[Callable[[str], object], tuple[int, str]] = {
    parse_reply: (MAX_CHARACTERS, "```a\n|```\n|x\n```yaml\n|<think>|- \n|[|{'a':|` ` `|\n"),
    compile_playbook: (
        MAX_BYTES,
        "\n|- |- a\n|[|? |a: |&a |\"|'|#\n|%|>\n|9|['a',|- \\u0061|\"\\x41|a: b\n|{|a: [|<<: ",
    ),
    hosts_of_file: (16_384, "a.|a:9|a://|x://…a|x://a@|a,|a-|a:a|9.|://…:|a1."),
    failure_of_host: (16_384, "a |a: |timed |x|a timeou|no such ho|a.a"),
    redact: (
        16_384,
        '-eyJa|-eyJaaaaaaaa|x://|a://b|bearer |basic a|password=|--key|token:|a.|"|<a|a1B|f0|://…:',
    ),
    sensitive_value: (32_000, "\n| |\r|\n'|a\n|a:b@|://|x://a:|eyJ|Bearer |AKIA|://…:|://…a:"),
    refusals: (32_000, "exceeded quota: a, limited: x|exceeded quota: a,| limited: | |a"),
    judge: (
        64_000,
        'a|A|error|no |0 |error:|error="|HTTP/1|GET a|GET |status|[|level=|1 a|Caused by:|\n|x.',
    ),
    parse_records: (64_000, "a b\n| a\n|2026-01-02T03:04:05Z a\n|\x1b[|\x1b]|Traceback (\n| x\n"),
    mine_records: (64_000, "a b c\n|a1 \n|error a\n|x\ny\n|a|1.|0x|-a|a-"),
    named_requests: (
        131_072,
        "GET /a |GET /|GET http://a|POST /a 500 |/a 500 |/a: |/a a a a |500 on |HTTP/1.1 |/|:|{",
    ),
    a_report: (65_536, "a |-|.|_| |/|é|a-"),
    named_nodes: (32_000, "node |node a-|nodes/|a-|node:::"),
}
"""Each with the longest text that it reads (or a long one), and what to repeat up to there."""
CASES = [
    pytest.param(read, length, unit, id=f"{read.__name__}-{unit!r}")
    for read, (length, units) in READERS.items()
    for unit in units.split("|")
]


@pytest.mark.parametrize(("read", "length", "unit"), CASES)
def test_reading_takes_time_in_proportion_to_the_length(
    read: Callable[[str], object], length: int, unit: str
) -> None:
    long = seconds(read, repeated(unit, length), 2)
    if long > UNNOTICED_SECONDS:
        short = seconds(read, repeated(unit, length // 4), 4)
        assert long <= 12 * short, (
            f"{long:.3f} s for {length} characters, {short:.3f} s for a quarter"
        )


def test_a_value_of_only_newlines_is_read_at_once() -> None:
    """A ConfigMap may hold a mebibyte of them."""
    assert seconds(lambda text: shown("notes", text), "\n" * 2**20, 1) < 2


def test_a_limit_is_read_though_white_space_follows() -> None:
    text = f"exceeded quota: small, requested: pods=1, used: pods=4, limited: pods=4{' ' * 30_000}x"
    assert seconds(refusals, text, 1) < 0.5
