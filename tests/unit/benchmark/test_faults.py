import json
from collections import Counter
from typing import Any

import pytest

from reme_api.diagnosis_report import DiagnosisReportSpec
from reme_benchmark.injection.specs import spec_from_json
from reme_benchmark.scenarios.cases.targets import possible
from reme_benchmark.scenarios.faults.catalog import DATA, CatalogError, fault, faults, read, real
from reme_benchmark.scenarios.faults.model import Fault, Group, Need, Published, Split
from reme_benchmark.scenarios.faults.placeholders import fill, filled
from reme_benchmark.scenarios.faults.readme import readme
from reme_kube.resources import RESOURCES
from reme_playbook.compiler.playbook import compile_playbook
from tests.unit.benchmark.situations import situations, systems

ALL = tuple(faults().values())
REAL = real()


def _id(definition: Fault) -> str:
    return definition.id


def test_there_are_at_least_thirty_faults_besides_the_seven_of_microremed() -> None:
    groups = Counter(definition.group for definition in REAL)

    assert groups[Group.MICROREMED] == 7
    assert sum(groups.values()) - 7 >= 30
    assert all(groups[group] >= 5 for group in Group if group is not Group.CONTROL)
    assert {definition.published for definition in REAL if definition.published} == set(Published)
    assert [f.id for f in REAL if f.group is not Group.MICROREMED and f.restart_helps] == []


def test_whole_fault_types_of_several_groups_are_held_out() -> None:
    held = [definition for definition in REAL if definition.held_out]

    assert len(held) >= 6
    assert len({definition.group for definition in held}) >= 4


@pytest.mark.parametrize("definition", REAL, ids=_id)
def test_every_fault_is_possible_on_two_systems(definition: Fault) -> None:
    assert sum(bool(possible(definition, system)) for system in systems().values()) >= 2


@pytest.mark.parametrize("definition", ALL, ids=_id)
def test_every_placeholder_has_a_value_wherever_the_fault_can_be(definition: Fault) -> None:
    count = 0
    for _, values in situations(definition):
        filled(definition, values, definition.id)
        count += 1
    assert count


@pytest.mark.parametrize("definition", ALL, ids=_id)
def test_reports_are_what_the_api_takes(definition: Fault) -> None:
    for _, values in situations(definition):
        for text, type_ in (
            (definition.report.summary, definition.report.type),
            (definition.report.terse, definition.report.type),
            (definition.report.misleading, definition.report.misleading_type),
        ):
            DiagnosisReportSpec.model_validate(
                {
                    "target": {"kind": values["kind"], "name": values["service"]},
                    "fault": {"type": type_, "summary": fill(text, values, definition.id)},
                    "probes": fill(list(definition.report.probes), values, definition.id),
                }
            )
    assert definition.report.type != definition.report.misleading_type


@pytest.mark.parametrize("definition", REAL, ids=_id)
def test_every_repair_is_a_playbook_that_compiles(definition: Fault) -> None:
    assert definition.repairs
    for _, values in situations(definition):
        for repair in definition.repairs:
            assert compile_playbook(json.dumps(fill(list(repair.playbook), values, definition.id)))


@pytest.mark.parametrize("definition", ALL, ids=_id)
def test_what_is_injected_is_what_cluster_and_agent_know(definition: Fault) -> None:
    _, values = next(iter(situations(definition)))
    for step in filled(definition, values, definition.id).inject:
        if step.patch:
            assert step.patch.kind == "Workload" or step.patch.kind in RESOURCES
            assert isinstance(step.patch.body, list) == (step.patch.how == "json")
        if step.create:
            body = step.create.object
            assert body["kind"] in RESOURCES
            assert body["apiVersion"] == RESOURCES[body["kind"]].api_version
            assert "namespace" not in body["metadata"]
        if step.agent:
            spec_from_json({"kind": step.agent.fault, **step.agent.options})
            assert Need.AGENT in definition.needs


@pytest.mark.parametrize("definition", ALL, ids=_id)
def test_variables_are_injected_as_text(definition: Fault) -> None:
    for _, values in situations(definition):
        for step in filled(definition, values, definition.id).inject:
            for entry in _named(step.model_dump(), "env"):
                assert isinstance(entry.get("value", ""), str), entry


@pytest.mark.parametrize("definition", [f for f in ALL if f.parameters], ids=_id)
def test_parameters_are_used_and_differ_by_split(definition: Fault) -> None:
    for by_split in definition.parameters.values():
        assert set(by_split) == set(Split)
        assert all(by_split.values())
    text = definition.model_dump_json()
    for name in definition.parameters:
        derived = {"leak_percent": "leak_kibibytes", "moved_port": "moved_port"}
        assert f"${{{derived.get(name, name)}}}" in text
    held_out = [v[Split.HELD_OUT] for v in definition.parameters.values()]
    train = [v[Split.TRAIN] for v in definition.parameters.values()]
    assert any(set(one).isdisjoint(other) for one, other in zip(held_out, train, strict=True))


@pytest.mark.parametrize("definition", ALL, ids=_id)
def test_the_readme_is_generated(definition: Fault) -> None:
    assert (DATA / definition.id / "README.md").read_text(encoding="utf-8") == readme(definition)


@pytest.mark.parametrize("definition", [f for f in ALL if f.control], ids=_id)
def test_a_control_has_no_repair(definition: Fault) -> None:
    assert not definition.repairs
    assert not definition.published


def test_an_unknown_fault_is_named() -> None:
    with pytest.raises(CatalogError, match="no fault 'bad-luck'"):
        fault("bad-luck")


def test_a_fault_must_be_called_as_its_directory(tmp_path: Any) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "fault.yaml").write_text((DATA / "bad-image" / "fault.yaml").read_text())

    with pytest.raises(CatalogError, match="calls itself bad-image"):
        read(tmp_path / "other")
    with pytest.raises(CatalogError, match=r"none/fault\.yaml"):
        read(tmp_path / "none")


def _named(data: Any, name: str) -> list[dict[str, Any]]:
    """Return the entries of all lists of that name."""
    if isinstance(data, dict):
        own = data.get(name) or []
        return [*own, *(e for inner in data.values() for e in _named(inner, name))]
    if isinstance(data, list | tuple):
        return [entry for inner in data for entry in _named(inner, name)]
    return []
