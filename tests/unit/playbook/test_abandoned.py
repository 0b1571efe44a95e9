"""A revision that was abandoned as bad is never the way back, and gives no values."""

import copy
from dataclasses import replace
from typing import Any

import pytest

from reme_api.actions import ActionName
from reme_playbook.actions.command import SetCommand
from reme_playbook.actions.env import SetEnv
from reme_playbook.actions.image import SetImage
from reme_playbook.actions.registry import PUBLIC
from reme_playbook.actions.rollback import Rollback
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.policy.action_space import allowed_actions
from reme_playbook.policy.tries import check_untried, untried
from reme_playbook.policy.validation import validate
from reme_playbook.snapshot import earlier_values
from reme_playbook.snapshot.abandoned import Replacement, abandoned_templates, previous, was_applied
from reme_playbook.snapshot.pod_template import digest
from reme_playbook.snapshot.snapshot import LAST_APPLIED, ClusterSnapshot, Revision
from tests.unit.playbook.builders import CART, Shop, container, everything, template


def of(image: str, **marks: str) -> dict[str, Any]:
    result = template(container(image=image))
    if marks:
        result["metadata"]["annotations"] = {"reme.dev/restarted-at": marks["restarted"]}
    return result


def revisions(*images: str) -> tuple[Revision, ...]:
    """Return revisions of these images; the later in the list, the later created."""
    result = [Revision(n, of(image), created=f"2026-01-0{n}") for n, image in enumerate(images, 1)]
    return tuple(reversed(result))


def number(result: Revision | None) -> int | None:
    return result.number if result else None


def test_the_previous_revision_is_the_newest_that_differs() -> None:
    assert number(previous(revisions("a", "b", "c"), of("c"))) == 2
    assert number(previous(revisions("a"), of("a"))) is None
    assert number(previous((), of("a"))) is None


def test_a_restart_is_no_revision_to_go_back_to() -> None:
    restarted = Revision(3, of("b", restarted="x"), created="2026-01-03")
    known = (restarted, *revisions("a", "b"))
    assert number(previous(known, of("b", restarted="x"))) == 1


def test_an_attempt_that_was_rolled_back_is_no_revision_to_go_back_to() -> None:
    # a, then the bad b, then reme's c, then the undo: b is number 4 now, created before c.
    known = (
        Revision(4, of("b"), created="2026-01-02"),
        Revision(3, of("c"), created="2026-01-03"),
        Revision(1, of("a"), created="2026-01-01"),
    )
    assert number(previous(known, of("b"))) == 1


def test_what_is_only_newer_is_not_the_way_back() -> None:
    # a, then the bad b, then a again: as after every repair that went back to revision 1.
    known = (
        Revision(3, of("a"), created="2026-01-01"),
        Revision(2, of("b"), created="2026-01-02"),
    )
    assert previous(known, of("a")) is None
    assert abandoned_templates(known, of("a")) == {digest(of("b"))}


def test_what_was_abandoned_once_stays_so_when_another_release_follows() -> None:
    known = (
        Revision(4, of("c"), created="2026-01-04"),
        Revision(3, of("a"), created="2026-01-01"),
        Revision(2, of("b"), created="2026-01-02"),
    )
    assert number(previous(known, of("c"))) == 3
    without_a = tuple(r for r in known if r.number != 3)
    assert number(previous(without_a, of("c"))) == 2, "nothing shows any more that it was bad"


def test_a_revision_that_somebody_released_again_counts_again() -> None:
    # a, b, back to a, then b once more by a person, then c.
    known = (
        Revision(5, of("c"), created="2026-01-05"),
        Revision(4, of("b"), created="2026-01-02"),
        Revision(3, of("a"), created="2026-01-01"),
    )
    assert number(previous(known, of("c"))) == 4


def test_the_newest_template_counts_as_the_last_before_its_revision_says_so() -> None:
    # The template is a's again; the controller has not given its revision the number 3 yet.
    assert previous(revisions("a", "b"), of("a")) is None


def test_a_restart_of_an_abandoned_template_is_abandoned_too() -> None:
    known = (
        Revision(4, of("a"), created="2026-01-01"),
        Revision(3, of("b", restarted="x"), created="2026-01-03"),
        Revision(2, of("b"), created="2026-01-02"),
    )
    assert previous(known, of("a")) is None
    # And a restart of the good one, which makes a later revision of it, changes nothing.
    restarted = Revision(5, of("a", restarted="y"), created="2026-01-05")
    assert previous((restarted, *known), of("a", restarted="y")) is None


@pytest.mark.parametrize("times", [("", ""), ("2026-01-01", ""), ("2026-01-01", "2026-01-01")])
def test_without_different_times_the_numbers_decide(times: tuple[str, str]) -> None:
    known = (Revision(2, of("b"), created=times[1]), Revision(1, of("a"), created=times[0]))
    assert number(previous(known, of("b"))) == 1


def test_a_repair_that_made_a_new_template_abandoned_the_one_before() -> None:
    # a, the bad b, and reme's c, which helped.
    known = revisions("a", "b", "c")
    repair = Replacement(digest(of("b")), digest(of("c")))
    assert number(previous(known, of("c"))) == 2, "nobody would know without the record"
    assert number(previous(known, of("c"), [repair])) == 1
    again = tuple(replace(r, number=4) if r.number == 2 else r for r in known)
    assert number(previous(again, of("d"), [repair])) == 4, "released again by a person"
    cleaned = tuple(r for r in known if r.number != 3)
    assert number(previous(cleaned, of("d"), [repair])) == 1


# values ------------------------------------------------------------------------------------------

GOOD = container(command=["/cart"])
BAD = container(
    image="registry.example/cart:3",
    command=["/bad"],
    env=[{"name": "LEVEL", "value": "bad"}, {"name": "STOCK_URL", "value": "http://bad:1"}],
    resources={"limits": {"cpu": "999m", "memory": "999Mi"}, "requests": {"cpu": "999m"}},
    readinessProbe={"httpGet": {"path": "/bad", "port": 8099}, "periodSeconds": 99},
)


def after_a_repair(**changes: Any) -> ClusterSnapshot:
    """Return a shop that went back to revision 1 over a bad revision 2 with other values."""
    bad = template(BAD, nodeSelector={"disk": "bad"})
    shop = Shop(template=template(GOOD), unplaced=True, **changes)
    live = shop.live()
    history = (
        Revision(3, template(GOOD), created="2026-01-01T00:00:00Z", replicas=2),
        Revision(2, bad, created="2026-01-02T00:00:00Z", replicas=7),
    )
    return replace(live, revisions=history)


@pytest.mark.parametrize("name", list(PUBLIC))
def test_no_action_takes_a_value_from_an_abandoned_revision(name: ActionName) -> None:
    live = after_a_repair()
    assert live.previous_revision is None
    texts = [str(draft) for draft in PUBLIC[name].candidates(live)]
    for value in ("bad", "cart:3", "999", "8099", "/bad", "99"):
        assert not [text for text in texts if value in text.replace("100%", "")], name
    if name is ActionName.SCALE:
        assert 7 not in earlier_values.replica_counts(live)


def test_the_values_would_be_offered_if_it_were_not_abandoned() -> None:
    live = after_a_repair()
    older = replace(live.revisions[1], created="2025-12-31T00:00:00Z", number=1)
    live = replace(live, revisions=(live.revisions[0], older))
    allowed = {action.name for action in allowed_actions(live, everything())}
    assert {"Rollback", "SetImage", "SetEnv", "SetResources", "SetCommand"} <= allowed
    assert "PatchNodeSelector" in allowed


def test_nothing_of_an_abandoned_revision_is_allowed() -> None:
    live = after_a_repair()
    image = SetImage(target=CART, container="server", image="registry.example/cart:3")
    env = SetEnv(target=CART, container="server", variable="LEVEL", value="bad")
    command = SetCommand(target=CART, container="server", command=("/bad",))
    for action in (image, env, command):
        with pytest.raises(RejectedPlaybookError) as refused:
            validate((action,), everything(), live)
        assert refused.value.rule is RejectionRule.UNKNOWN_VALUE
        assert "abandoned as bad" in refused.value.message


def test_what_was_applied_to_make_an_abandoned_revision_gives_no_values() -> None:
    made_from = template(BAD, nodeSelector={"disk": "bad"})
    applied: dict[str, Any] = {"spec": {"replicas": 5, "template": made_from}}
    del applied["spec"]["template"]["metadata"]["creationTimestamp"]
    live = after_a_repair(applied={CART: applied})
    assert live.earlier_templates == ()
    assert len(live.other_templates) == 2
    assert 5 in earlier_values.replica_counts(live), "no part of a revision"
    other = copy.deepcopy(applied)
    other["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/cart:9"
    live = after_a_repair(applied={CART: other})
    assert "registry.example/cart:9" in earlier_values.images(live, "server")
    good = {"spec": {"template": template(GOOD)}}
    assert len(after_a_repair(applied={CART: good}).earlier_templates) == 1
    assert LAST_APPLIED in after_a_repair(applied={CART: good}).workload["metadata"]["annotations"]


def test_an_object_was_made_from_what_was_applied_if_all_of_it_is_there() -> None:
    applied = {"a": [{"name": "x", "cpu": "0.5"}], "port": "80", "none": None}
    assert was_applied(applied, {"a": [{"name": "x", "cpu": "500m", "more": 1}], "port": 80})
    assert not was_applied(applied, {"a": [{"name": "y", "cpu": "500m"}], "port": 80})
    assert not was_applied({"a": [1]}, {"a": [1, 2]})
    assert not was_applied({"a": {}}, {"a": "text"})
    assert not was_applied({"a": "1x"}, {"a": "1y"})


# a model and people ------------------------------------------------------------------------------


def test_a_model_may_not_name_an_abandoned_revision_and_a_person_may() -> None:
    live, back = after_a_repair(), Rollback(target=CART, revision=2)
    validate((back,), everything(), live)
    with pytest.raises(RejectedPlaybookError) as refused:
        check_untried([back], live, [])
    assert refused.value.rule is RejectionRule.ABANDONED
    assert untried([back], live, []) == ()


def test_what_an_earlier_remediation_tried_in_vain_is_not_tried_again() -> None:
    live = Shop(earlier=[template(container(image="registry.example/cart:1"))]).live()
    before = live.previous_revision
    assert before is not None
    useless = Replacement(digest(live.template), digest(before.template))
    now = replace(live, useless=(useless,))
    image = SetImage(target=CART, container="server", image="registry.example/cart:1")
    for action in (Rollback(target=CART), Rollback(target=CART, revision=1), image):
        assert untried([action], live, []) == (action,)
        assert untried([action], now, []) == ()
        with pytest.raises(RejectedPlaybookError, match="earlier remediation"):
            check_untried([action], now, [])
    # From another template than then it is another try.
    other = replace(now, useless=(replace_before(useless),))
    assert untried([Rollback(target=CART)], other, []) == (Rollback(target=CART),)


def replace_before(one: Replacement) -> Replacement:
    return one._replace(before="sha256:other")
