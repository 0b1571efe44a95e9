"""Every inspection is complete, its candidates are bounded, and its results are plain data."""

import inspect
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reme_playbook.inspection_reference import KINDS, main
from reme_playbook.inspections.base import Inspection, InspectionResult
from reme_playbook.inspections.object_events import ObjectEvents
from reme_playbook.inspections.registry import (
    MAX_CANDIDATES,
    PUBLIC,
    RESULTS,
    all_candidates,
    by_label,
    from_data,
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
    assert inspection.RIGHTS
    assert inspection.BOUNDS
    assert inspection.SHOWS
    assert {FindingKind.NORMAL, FindingKind.UNAVAILABLE}.isdisjoint(inspection.SHOWS)
    assert not any("secrets" in right for right in inspection.RIGHTS)
    assert not inspect.isabstract(inspection)


@pytest.mark.parametrize("live", [Shop().live(), Shop(ready=False).live(), large()])
def test_candidates_are_bounded_and_each_is_read_back_from_its_data(live: ClusterSnapshot) -> None:
    candidates = all_candidates(live)
    assert 0 < len(candidates) <= MAX_CANDIDATES
    assert len(set(candidates)) == len(candidates)
    for candidate in candidates:
        assert from_data(json.loads(json.dumps(candidate.data()))) == candidate
        assert len(candidate.label()) <= 400
        assert candidate.label().isprintable()
    assert list(by_label(candidates).values()) == list(candidates)


def test_no_inspection_is_crowded_out_by_another() -> None:
    names = {type(candidate) for candidate in all_candidates(large())}
    offered = {type(c) for one in PUBLIC.values() for c in list(one.candidates(large()))[:1]}
    assert names == offered


def test_candidates_are_about_objects_of_the_snapshot() -> None:
    for live in (Shop().live(), large()):
        for candidate in all_candidates(live):
            assert candidate.subject.namespace in (live.target.namespace, "")


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"inspection": "ObjectEvents"},
        {"inspection": "Nothing", "subject": {"kind": "Pod", "namespace": "shop", "name": "a"}},
        {
            "inspection": "ObjectEvents",
            "subject": {"kind": "Secret", "namespace": "s", "name": "a"},
        },
        {"inspection": "ObjectEvents", "subject": {"kind": "Pod", "namespace": "s", "name": "A b"}},
        {"inspection": "ObjectEvents", "subject": {"kind": "Pod", "namespace": "s"}},
        {
            "inspection": "ObjectEvents",
            "subject": {"kind": "Pod", "namespace": "s", "name": "a"},
            "command": "id",
        },
    ],
)
def test_what_is_no_inspection_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"inspection|arguments"):
        from_data(data)


def test_an_inspection_is_made_of_its_name_subject_and_arguments() -> None:
    assert parse("ObjectEvents", CART, {}) == ObjectEvents(subject=CART)
    assert ObjectEvents(subject=CART).label() == "ObjectEvents Deployment/cart"


def test_results_are_written_as_json_and_read_back() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    finding = Finding(FindingKind.WARNING_EVENT, CART, 'a "text"\nof two lines', at)
    data = ObjectEvents(subject=CART).data()
    results = (
        InspectionResult(inspection=data, findings=(finding,)),
        InspectionResult(inspection=data, error="could not be read"),
    )
    assert RESULTS.validate_json(RESULTS.dump_json(results)) == results
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
