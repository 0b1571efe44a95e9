"""Every fault of the catalogue can be reported in every quality, wherever it can be."""

import pytest

from reme_api.diagnosis_report import DiagnosisReport
from reme_benchmark.diagnosis.findings import Findings
from reme_benchmark.diagnosis.write import write
from reme_benchmark.kube.cluster import Object
from reme_benchmark.scenarios.cases import suites
from reme_benchmark.scenarios.cases.model import Case, Quality
from reme_benchmark.scenarios.faults import catalog
from reme_benchmark.scenarios.faults.facts import case_values
from reme_benchmark.scenarios.systems import catalog as systems
from reme_benchmark.scenarios.systems.model import System
from reme_benchmark.scenarios.systems.render import manifests

SYSTEMS = {name: systems.load(name) for name in systems.names()}
OBJECTS = {name: manifests(system, "bench") for name, system in SYSTEMS.items()}


def reported(case: Case, system: System, objects: list[Object]) -> Object:
    fault = catalog.fault(case.fault) if case.fault else None
    blamed = system.service(case.reported_service)
    findings = Findings(blamed.kind, blamed.name, blamed.container_name)
    values = case_values(case, system, objects, {"pod": f"{case.service}-0", "node": "n1"})
    report = write(case, fault, findings, values)
    DiagnosisReport.model_validate(report)
    return report


@pytest.mark.parametrize("name", suites.names())
def test_every_case_of_every_suite_can_be_reported(name: str) -> None:
    suite = suites.load(name)
    cases = suites.draw(suite, None, SYSTEMS)
    assert cases
    for case in cases:
        for quality in Quality:
            of = case.model_copy(update={"quality": quality})
            report = reported(of, SYSTEMS[case.system], OBJECTS[case.system])
            assert report["spec"]["probes"]
            assert "${" not in str({**report["spec"], "evidence": []})
