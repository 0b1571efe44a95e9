"""What is remembered of remediations, whatever overtakes whatever."""

from reme_api.reasons import Outcome
from reme_operator.admission.remediation_index import RemediationIndex, remediation_info
from tests.doubles.builders import NOW, REPORT_UID, remediation


def test_what_has_ended_does_not_open_again() -> None:
    index = RemediationIndex()
    index.add(remediation_info(remediation(outcome=Outcome.VERIFIED), NOW))
    index.merge([remediation_info(remediation(), NOW)])  # a list that was read before the end
    assert index.open_count() == 0


def test_what_is_gone_does_not_come_back() -> None:
    index, result = RemediationIndex(), remediation_info(remediation(), NOW)
    index.add(result)
    index.remove(result.uid)
    index.merge([result])
    assert index.all() == ()


def test_the_remediations_of_a_report_come_in_their_order() -> None:
    index = RemediationIndex()
    for name in ("b", "a"):
        index.add(remediation_info(remediation(name=name, uid=name), NOW))
    assert [e.name for e in index.of_report(REPORT_UID)] == ["a", "b"]
    assert index.of_report("another") == ()
