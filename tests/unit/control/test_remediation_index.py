"""What is remembered of remediations, whatever overtakes whatever."""

from reme_api.reasons import Outcome
from reme_operator.admission.remediation_index import RemediationIndex, entry
from tests.doubles.builders import NOW, REPORT_UID, remediation


def test_what_has_ended_does_not_open_again() -> None:
    ledger = RemediationIndex()
    ledger.note(entry(remediation(outcome=Outcome.VERIFIED), NOW))
    ledger.merge([entry(remediation(), NOW)])  # a list that was read before the end
    assert ledger.open_count() == 0


def test_what_is_gone_does_not_come_back() -> None:
    ledger, found = RemediationIndex(), entry(remediation(), NOW)
    ledger.note(found)
    ledger.forget(found.uid)
    ledger.merge([found])
    assert ledger.entries() == ()


def test_the_remediations_of_a_report_come_in_their_order() -> None:
    ledger = RemediationIndex()
    for name in ("b", "a"):
        ledger.note(entry(remediation(name=name, uid=name), NOW))
    assert [e.name for e in ledger.of_report(REPORT_UID)] == ["a", "b"]
    assert ledger.of_report("another") == ()
