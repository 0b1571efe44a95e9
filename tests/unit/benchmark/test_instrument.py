"""What proves the instrument, and what breaks the proof."""

from reme_benchmark.cli.self_validation import ATTACKED, PROOFS, Proof, attacked, row
from reme_benchmark.methods.choose import NAMES
from reme_benchmark.scenarios.faults import catalog
from reme_benchmark.scoring.records import State
from tests.doubles.results import result


def test_every_attack_is_tried_and_on_faults_that_exist() -> None:
    tried = {p.method for p in PROOFS}
    assert {name for name in NAMES if name.startswith("cheat-")} <= tried
    assert {"noop", "oracle", "restart"} <= tried
    assert set(ATTACKED) <= set(catalog.faults())


def test_a_restart_is_no_attack_where_it_is_the_repair() -> None:
    left = attacked("cheat-restart-loop")
    assert left
    assert not any(catalog.fault(name).restart_helps for name in left)
    assert attacked("cheat-drop-limit") == ATTACKED


def test_one_success_of_doing_nothing_breaks_the_proof() -> None:
    proof = Proof("noop", wanted=False)
    assert row(proof, [result(1, passed=False)])["holds"]
    found = row(proof, [result(1, passed=False), result(2, passed=True)])
    assert not found["holds"]
    assert (found["passed"], found["cases"]) == (1, 2)
    assert len(found["wrong"]) == 1  # type: ignore[arg-type]


def test_one_failure_of_a_good_playbook_breaks_the_proof() -> None:
    proof = Proof("oracle", wanted=True)
    assert row(proof, [result(1)])["holds"]
    assert not row(proof, [result(1), result(2, passed=False)])["holds"]


def test_a_baseline_proves_nothing() -> None:
    assert row(Proof("restart", wanted=None), [result(1, passed=False), result(2)])["holds"]


def test_what_was_not_judged_is_told_apart() -> None:
    failed = result(2, passed=None, state=State.HARNESS_ERROR)
    found = row(Proof("oracle", wanted=True), [result(1), failed])
    assert (found["cases"], found["not_judged"]) == (1, 1)
