"""What the installed operator, with its own rights, reads in an investigation."""

import pytest

from reme_api.investigation import Choice, InspectionName
from reme_api.reasons import Outcome
from reme_operator.investigation.recorded import parse_results
from reme_playbook.snapshot.finding import FindingKind
from tests.support.testbed import Testbed, rollback

pytestmark = pytest.mark.cluster


def test_the_log_of_the_failing_version_is_read_before_a_playbook_is_written(
    shop: Testbed,
) -> None:
    shop.policy(method="ThinkRemed")
    shop.break_catalog()
    shop.model.play(rollback())
    ended = shop.ended(shop.report("looked"))
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    rounds = ended.status.attempts[0].investigation
    records = [record for one in rounds for record in one.inspections]
    assert [one.choice for one in rounds][-1] is Choice.ACT
    logs = [record for record in records if record.name is InspectionName.CONTAINER_LOGS]
    assert any("internal error" in record.finding for record in logs), records
    assert not any("no such right" in record.finding for record in records), records
    (reference, *_) = [one.results for one in rounds if one.results]
    stored = shop.kubectl.get("configmaps", reference.name, shop.namespace)
    assert stored is not None
    (text,) = stored["data"].values()
    kinds = {finding.kind for outcome in parse_results(text) for finding in outcome.findings}
    assert FindingKind.LOG_ERROR in kinds
    prompt = str(shop.model.recorded_requests()[-1]["messages"])
    assert "internal error" in prompt
