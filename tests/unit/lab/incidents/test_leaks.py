"""Nothing of the benchmark is in the incidents: no name, no sentence, no held-out fault."""

import re
from collections.abc import Iterator
from itertools import islice

from reme_benchmark.diagnosis.alarms import ALARMS
from reme_benchmark.scenarios.cases.suites import held
from reme_benchmark.scenarios.faults.catalog import faults
from reme_benchmark.scenarios.faults.model import Split
from reme_benchmark.scenarios.systems.catalog import load, names
from reme_lab.incidents import rng
from reme_lab.incidents.faults.catalog import ABSTENTIONS, FAULTS
from reme_lab.incidents.incident import DroppedIncident, Incident, make_incident
from reme_model.prompt.context import MAX_CHARACTERS

_WORD = re.compile(r"[A-Za-z0-9_.-]+")
_VALUE = re.compile(r"\$?\{\w+\}")
_PORT = re.compile(r"(?:port |ports |have |:|httpGet \S+ )(\d{2,5})\b")
_USUAL = frozenset({80})
"""Ports that every system has."""


def incidents() -> Iterator[Incident]:
    for place in range(10_000):
        try:
            yield make_incident(f"leak/{place}", list(rng.Split)[place % 3])
        except DroppedIncident:
            continue


INCIDENTS = list(islice(incidents(), 400))
TEXT = "\n".join(m["content"] for t in INCIDENTS for m in t.messages)


def words_of_the_systems() -> set[str]:
    """Return the names that the benchmark's systems use."""
    words: set[str] = set()
    for system in map(load, names()):
        words |= {system.name, system.title}
        for service in system.services:
            words |= {service.name, service.container_name, *service.config}
            words |= {sidecar.name for sidecar in service.sidecars}
    return words


def ports_of_the_systems() -> set[int]:
    services = [service for system in map(load, names()) for service in system.services]
    return {port for s in services for port in (s.port, s.container_port)} - _USUAL


def sentences() -> Iterator[str]:
    """Yield the longest run of words between two values of each text of a report."""
    for fault in faults().values():
        texts = fault.report
        for text in (texts.summary, texts.terse, texts.misleading):
            parts = [part.strip(" .,:;'\"") for part in _VALUE.split(text)]
            yield max(parts, key=len)
    for alarm in ALARMS:
        for text in (alarm.summary, alarm.terse):
            yield max(_VALUE.split(text), key=len).strip(" .,:;")


def test_no_name_of_a_system_of_the_benchmark_is_there() -> None:
    assert not words_of_the_systems() & set(_WORD.findall(TEXT))


def test_no_port_of_a_system_of_the_benchmark_is_there() -> None:
    texts = {int(port) for port in _PORT.findall(TEXT)}
    assert len(texts) > 50
    assert not ports_of_the_systems() & texts


def test_no_sentence_of_its_reports_is_there() -> None:
    names = [one for one in sentences() if len(one.split()) > 3 and one.lower() in TEXT.lower()]
    assert not names


def test_no_prompt_is_longer_than_the_operator_writes_them() -> None:
    assert all(len(t.messages[-1]["content"]) <= MAX_CHARACTERS for t in INCIDENTS)


def test_no_fault_that_is_held_out_is_there() -> None:
    held_out = set(held().faults)
    assert held_out == {name for name, fault in faults().items() if fault.held_out}
    assert not held_out & {*FAULTS, *ABSTENTIONS}
    assert not held_out & {incident.fault for incident in INCIDENTS}


def test_every_other_fault_of_the_benchmark_is_there() -> None:
    passing = {name for name, fault in faults().items() if fault.heals}
    expected = set(faults()) - set(held().faults) - passing
    assert not expected - {*FAULTS, *ABSTENTIONS}


def test_no_parameter_that_its_cases_keep_for_themselves_is_there() -> None:
    texts = set(_WORD.findall(TEXT))
    for fault in faults().values():
        for values in fault.parameters.values():
            held_out = {str(v) for v in values.get(Split.HELD_OUT, ())}
            assert not {v for v in held_out if not v.isdigit() and len(v) > 4} & texts, fault.id
