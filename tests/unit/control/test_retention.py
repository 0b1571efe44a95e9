"""Which ended remediations go, and that an open one never does."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from reme_api.diagnosis_report import Target
from reme_api.reasons import Outcome, Reason
from reme_operator.admission.remediation_index import RemediationInfo
from reme_operator.admission.retention import expired
from tests.doubles.builders import NOW, later

CART = Target.model_validate({"kind": "Deployment", "name": "cart"})


def entry(
    name: str,
    age: float,
    *,
    open_: bool = False,
    limit: int = 50,
    ttl: int = 10_000,
    policy: str = "shop/usual",
    deleting: bool = False,
) -> RemediationInfo:
    return RemediationInfo(
        namespace="shop",
        name=name,
        uid=name,
        report_uid="r",
        target=CART,
        policy=policy,
        created=later(-age - 10),
        completed=None if open_ else later(-age),
        outcome=None if open_ else Outcome.VERIFIED,
        reason=None if open_ else Reason.PROBES_PASSED,
        message="",
        history_limit=limit,
        ttl_seconds=ttl,
        deleting=deleting,
    )


def names(entries: list[RemediationInfo]) -> list[str]:
    return [e.name for e in entries]


def test_beyond_the_limit_the_oldest_go_first() -> None:
    remediation_infos = [entry(str(age), age, limit=2) for age in (5, 1, 3, 9)]
    assert names(expired(remediation_infos, NOW)) == ["9", "5"]


def test_the_limit_is_each_policys_own() -> None:
    remediation_infos = [
        entry("a", 1, limit=1),
        entry("b", 2, limit=1),
        entry("c", 3, limit=1, policy="x/y"),
    ]
    assert names(expired(remediation_infos, NOW)) == ["b"]


def test_the_limit_that_holds_is_that_of_the_newest() -> None:
    remediation_infos = [entry("new", 1, limit=3), entry("b", 2, limit=1), entry("c", 3, limit=1)]
    assert expired(remediation_infos, NOW) == []


def test_what_is_too_old_goes() -> None:
    assert names(expired([entry("old", 100, ttl=100), entry("new", 99, ttl=100)], NOW)) == ["old"]


def test_an_open_one_stays_and_takes_no_place() -> None:
    remediation_infos = [entry("open", 10_000, open_=True, limit=1, ttl=0), entry("a", 5, limit=1)]
    assert expired(remediation_infos, NOW) == []


def test_one_that_is_going_already_is_left_alone() -> None:
    assert expired([entry("going", 100, ttl=0, deleting=True)], NOW) == []


@given(
    st.lists(
        st.builds(
            entry,
            st.uuids().map(str),
            st.floats(0, 1000),
            open_=st.booleans(),
            limit=st.integers(0, 5),
            ttl=st.integers(0, 1000),
            policy=st.sampled_from(["a/a", "b/b"]),
            deleting=st.booleans(),
        ),
        max_size=20,
    ),
    st.floats(0, 10_000),
)
def test_whatever_there_is_only_ended_ones_go(
    remediation_infos: list[RemediationInfo], seconds: float
) -> None:
    gone = expired(remediation_infos, NOW + timedelta(seconds=seconds))
    assert all(e.outcome is not None and not e.deleting for e in gone)
    assert len({e.uid for e in gone}) == len(gone)


def test_one_that_led_to_an_open_one_stays() -> None:
    """The report of the open one belongs to it, and would be deleted with it."""
    first = entry("first", 900, limit=0)
    second = replace(entry("second", 5, open_=True, limit=0), parent_uid="first")
    assert names(expired([first, second], NOW)) == []
    ended = replace(entry("second", 5, limit=0), parent_uid="first")
    assert "first" in names(expired([first, ended], NOW))
