"""What proves the instrument, and what breaks the proof."""

from reme_benchmark.cli.self_validation import (
    CHEATED_FAULTS,
    PROOFS,
    Proof,
    cheated_faults,
    result_of,
)
from reme_benchmark.methods.choose import NAMES
from reme_benchmark.scenarios.faults import catalog
from reme_benchmark.scoring.records import State
from tests.doubles.results import result


def test_every_attack_is_run_on_faults_that_exist() -> None:
    methods = {p.method for p in PROOFS}
    assert {name for name in NAMES if name.startswith("cheat-")} <= methods
    assert {"noop", "oracle", "restart"} <= methods
    assert set(CHEATED_FAULTS) <= set(catalog.faults())


def test_a_restart_is_no_attack_where_it_is_the_repair() -> None:
    fault_names = cheated_faults("cheat-restart-loop")
    assert fault_names
    assert not any(catalog.fault(name).restart_helps for name in fault_names)
    assert cheated_faults("cheat-drop-limit") == CHEATED_FAULTS


def test_one_success_of_doing_nothing_breaks_the_proof() -> None:
    proof = Proof("noop", must_pass=False)
    assert result_of(proof, [result(1, passed=False)]).holds
    proof_result = result_of(proof, [result(1, passed=False), result(2, passed=True)])
    assert not proof_result.holds
    assert (proof_result.passed, proof_result.cases) == (1, 2)
    assert len(proof_result.wrong) == 1


def test_one_failure_of_a_good_playbook_breaks_the_proof() -> None:
    proof = Proof("oracle", must_pass=True)
    assert result_of(proof, [result(1)]).holds
    assert not result_of(proof, [result(1), result(2, passed=False)]).holds


def test_a_baseline_proves_nothing() -> None:
    assert result_of(Proof("restart", must_pass=None), [result(1, passed=False), result(2)]).holds


def test_what_was_not_judged_is_counted_apart() -> None:
    failed = result(2, passed=None, state=State.HARNESS_ERROR)
    proof_result = result_of(Proof("oracle", must_pass=True), [result(1), failed])
    assert (proof_result.cases, proof_result.not_judged) == (1, 1)
