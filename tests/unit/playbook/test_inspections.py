"""Every inspection is complete, its candidates are bounded, and its results are plain data."""

import inspect
import json
from dataclasses import replace
from pathlib import Path

import pytest

from reme_playbook.inspection_reference import KINDS, main
from reme_playbook.inspections.base import Inspection
from reme_playbook.inspections.metrics_query import MetricsQuery
from reme_playbook.inspections.object_events import ObjectEvents
from reme_playbook.inspections.registry import (
    MAX_CANDIDATES,
    PUBLIC,
    all_candidates,
    parse,
)
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from tests.unit.playbook.builders import CART, Shop, key


def large() -> ClusterSnapshot:
    """Return a snapshot of a target with many unready pods and many objects around it."""
    live = Shop(ready=False).live()
    pod = live.objects[key("Pod", "cart-6d-0")]
    pods = {
        key("Pod", f"cart-6d-{n}"): {**pod, "metadata": {"name": f"cart-6d-{n}"}} for n in range(60)
    }
    services = {key("Service", f"s{n}"): {"metadata": {"name": f"s{n}"}} for n in range(40)}
    return replace(live, objects={**live.objects, **pods, **services})


@pytest.mark.parametrize("inspection", PUBLIC.values())
def test_an_inspection_says_everything_about_itself(inspection: type[Inspection]) -> None:
    assert inspection.__doc__
    assert inspection.READS
    # Prometheus is asked over HTTP: no permission of the cluster is needed.
    assert bool(inspection.RIGHTS) is (inspection is not MetricsQuery)
    assert inspection.BOUNDS
    assert inspection.SHOWS
    assert {FindingKind.NORMAL, FindingKind.UNAVAILABLE}.isdisjoint(inspection.SHOWS)
    assert not any("secrets" in right for right in inspection.RIGHTS)
    assert not inspect.isabstract(inspection)


@pytest.mark.parametrize("live", [Shop().live(), Shop(ready=False).live(), large()])
def test_candidates_are_bounded_and_each_is_read_back_from_its_arguments(
    live: ClusterSnapshot,
) -> None:
    candidates = all_candidates(live)
    assert 0 < len(candidates) <= MAX_CANDIDATES
    assert len(set(candidates)) == len(candidates)
    for candidate in candidates:
        arguments = json.loads(json.dumps(candidate.arguments()))
        assert parse(candidate.NAME, candidate.subject, arguments) == candidate
        assert len(candidate.label()) <= 400
        assert candidate.label().isprintable()
    assert len({candidate.label() for candidate in candidates}) == len(candidates)


def test_no_inspection_is_crowded_out_by_another() -> None:
    names = {type(candidate) for candidate in all_candidates(large())}
    offered = {type(c) for one in PUBLIC.values() for c in list(one.candidates(large()))[:1]}
    assert names == offered


def test_candidates_are_about_objects_of_the_snapshot() -> None:
    for live in (Shop().live(), large()):
        for candidate in all_candidates(live):
            assert candidate.subject.namespace in (live.target.namespace, "")


@pytest.mark.parametrize(
    ("name", "subject", "arguments"),
    [
        ("Nothing", {"kind": "Pod", "namespace": "shop", "name": "a"}, {}),
        ("ObjectEvents", {"kind": "Secret", "namespace": "shop", "name": "a"}, {}),
        ("ObjectEvents", {"kind": "Pod", "namespace": "shop", "name": "A b"}, {}),
        ("ObjectEvents", {"kind": "Pod", "namespace": "shop"}, {}),
        ("ObjectEvents", {"kind": "Pod", "name": "a"}, {}),
        ("ObjectEvents", {"kind": "Pod", "namespace": "shop", "name": "a"}, {"command": "id"}),
        ("ContainerLogs", {"kind": "Pod", "namespace": "shop", "name": "a"}, {"since_seconds": 0}),
    ],
)
def test_what_is_no_inspection_is_refused(
    name: str, subject: dict[str, str], arguments: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match=r"inspection|arguments"):
        parse(name, subject, arguments)


def test_an_inspection_is_made_of_its_name_subject_and_arguments() -> None:
    assert parse("ObjectEvents", CART, {}) == ObjectEvents(subject=CART)
    assert ObjectEvents(subject=CART).label() == "ObjectEvents Deployment/cart"


def test_a_finding_is_one_line() -> None:
    finding = Finding(FindingKind.WARNING_EVENT, CART, 'a "text"\nof two lines')
    assert finding.text == 'a "text" of two lines'


def test_the_page_says_everything_about_each_inspection(tmp_path: Path) -> None:
    page = tmp_path / "inspections.md"
    assert main(["--out", str(page)]) == 0
    text = page.read_text()
    for name, inspection in PUBLIC.items():
        assert f"\n## {name}\n" in text
        for argument in set(inspection.model_fields) - {"subject"}:
            assert f"\n| `{argument}` | " in text
            assert inspection.model_fields[argument].description, argument
    assert main(["--out", str(page), "--check"]) == 0
    page.write_text(text.replace("reads and never writes", "reads and writes"))
    assert main(["--out", str(page), "--check"]) == 1


def test_every_kind_of_finding_is_described() -> None:
    assert set(KINDS) == set(FindingKind)
