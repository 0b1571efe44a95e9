"""Probes of a report: a caller of the broken workload fails with it, and recovers with it."""

from itertools import count

import pytest

from reme_lab.incidents import snapshot
from reme_lab.incidents.broken_system import BrokenSystem
from reme_lab.incidents.faults.catalog import ABSTENTIONS, FAULTS
from reme_lab.incidents.grader import Grader
from reme_lab.incidents.incident import POLICY
from reme_lab.incidents.probes import make_probes
from reme_lab.incidents.report import ReportQuality, write_report
from reme_lab.incidents.rng import Rng, Split
from reme_lab.incidents.system import System
from reme_lab.simulator import problems_of
from reme_playbook.policy.action_space import allowed_actions

MAKERS = {**FAULTS, **{name: maker for name, (_, maker) in ABSTENTIONS.items()}}
SERVICES_ASKED = 2


def broken(fault: str, services: int) -> tuple[BrokenSystem, Grader]:
    """Return a broken system whose report probes this many Services, all of which fail."""
    for seed in count():
        rng = Rng(f"{fault}/{seed}", Split.TRAIN)
        incident = MAKERS[fault](rng, System(rng))
        if incident is None:
            continue
        report, measured = write_report(rng, incident, ReportQuality.FULL)
        failed = {result.name for result in measured if result.failed}
        users = [probe for probe in report.probes if probe.http]
        if len(users) == services and failed >= {probe.name for probe in users}:
            return incident, Grader(incident, snapshot.snapshot_of(incident.system), report.probes)
    raise AssertionError("count does not end")


@pytest.mark.parametrize("fault", ["bad-version", "wrong-target-port", "replicas-zero"])
def test_who_calls_the_broken_one_fails_with_it_and_is_well_again(fault: str) -> None:
    incident, grader = broken(fault, SERVICES_ASKED)
    before = [
        line for line in problems_of(grader.world, grader.probes) if line.startswith("probe ")
    ]
    assert len([line for line in before if "rollout" not in line]) == SERVICES_ASKED
    space = allowed_actions(snapshot.snapshot_of(incident.system), POLICY)
    repair = [action for wish in incident.repairs[0] if (action := wish.find_in(space))]
    assert grader.verdict(repair).good


def test_two_failing_services_say_nothing_of_where_the_fault_is() -> None:
    for fault in ("bad-version", "lost-credential", "blamed-for-another", "wrong-target"):
        assert broken(fault, SERVICES_ASKED)


@pytest.mark.parametrize("fault", sorted(MAKERS))
def test_each_probe_has_what_it_showed(fault: str) -> None:
    for seed in range(20):
        rng = Rng(f"{fault}/{seed}", Split.TRAIN)
        incident = MAKERS[fault](rng, System(rng))
        if incident is not None:
            probes, measured = make_probes(rng, incident)
            assert [probe["name"] for probe in probes] == [result.name for result in measured]
