"""What a report is told of itself."""

from reme_api.conditions import Status, find_condition
from reme_api.reasons import ConditionType, Outcome, Reason
from reme_operator.admission.admit import Accept, AlreadyAdmitted, Refuse
from reme_operator.admission.remediation_index import RemediationInfo, remediation_info
from reme_operator.admission.report_status import report_status
from tests.doubles.builders import NOW, later, remediation, report


def ended(name: str, outcome: Outcome | None) -> RemediationInfo:
    return remediation_info(remediation(name=name, uid=name, outcome=outcome), NOW)


def test_a_refusal_is_a_condition_with_a_time() -> None:
    refusal = Refuse(Reason.COOLING_DOWN, "the target rests", later(60))
    status = report_status(report(), refusal, [], NOW)
    accepted = find_condition(status.conditions, ConditionType.ACCEPTED)
    assert accepted is not None
    assert (accepted.status, accepted.reason) == (Status.FALSE, Reason.COOLING_DOWN)
    assert status.retry_time == later(60)
    assert status.message == "the target rests"
    remediated = find_condition(status.conditions, ConditionType.REMEDIATED)
    assert remediated is not None
    assert remediated.status is Status.UNKNOWN


def test_the_newest_remediation_decides_whether_it_is_remediated() -> None:
    remediation_infos = [ended("a", Outcome.VERIFIED), ended("b", Outcome.ROLLED_BACK)]
    status = report_status(report(), AlreadyAdmitted("b"), remediation_infos, NOW)
    remediated = find_condition(status.conditions, ConditionType.REMEDIATED)
    assert remediated is not None
    assert remediated.status is Status.FALSE
    assert [s.outcome for s in status.remediations] == [Outcome.VERIFIED, Outcome.ROLLED_BACK]


def test_what_was_deleted_stays_in_the_list() -> None:
    first = report_status(report(), AlreadyAdmitted("a"), [ended("a", Outcome.VERIFIED)], NOW)
    later_on = report(status=first.wire())
    status = report_status(later_on, AlreadyAdmitted("a"), [], NOW)
    assert [(s.name, s.outcome) for s in status.remediations] == [("a", Outcome.VERIFIED)]
    # Nor does the report forget that it was remediated.
    remediated = find_condition(status.conditions, ConditionType.REMEDIATED)
    assert remediated is not None
    assert remediated.status is Status.TRUE


def test_nothing_new_is_the_same_status() -> None:
    remediation_infos = [ended("a", Outcome.VERIFIED)]
    first = report_status(report(), AlreadyAdmitted("a"), remediation_infos, NOW)
    again = report_status(
        report(status=first.wire()), AlreadyAdmitted("a"), remediation_infos, later(60)
    )
    assert again == first


def test_notes_are_in_the_status_and_in_the_message_and_stay() -> None:
    written = report(fault={"type": "OOM killed", "severity": "sev-1"})
    admission = Accept(remediation(name="a"), ("target.container was ignored",))
    first = report_status(written, admission, [], NOW)
    assert len(first.notes) == 3
    assert first.notes[0] == "target.container was ignored"
    accepted = find_condition(first.conditions, ConditionType.ACCEPTED)
    assert accepted is not None
    assert accepted.message.startswith("a; target.container was ignored (and 2 more in")
    known = report(fault={"type": "OOM killed", "severity": "sev-1"}, status=first.wire())
    again = report_status(known, AlreadyAdmitted("a"), [], later(60))
    assert again.notes == first.notes
    assert find_condition(again.conditions, ConditionType.ACCEPTED) == accepted


def test_the_notes_of_an_earlier_generation_go() -> None:
    noted = report_status(report(), Accept(remediation(name="a"), ("old",)), [], NOW)
    changed = report(generation=2, status=noted.wire())
    assert report_status(changed, Accept(remediation(name="b")), [], NOW).notes == []


def test_a_refused_report_has_its_notes_too() -> None:
    refusal = Refuse(Reason.COOLING_DOWN, "the target rests", later(60))
    status = report_status(report(fault={"type": "OOM killed"}), refusal, [], NOW)
    assert len(status.notes) == 1
    assert status.message == "the target rests"
