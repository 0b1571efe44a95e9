"""What a report is told of itself."""

from reme_api.conditions import Status, find_condition
from reme_api.reasons import ConditionType, Outcome, Reason
from reme_operator.admission.admit import AlreadyAdmitted, Refuse
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
