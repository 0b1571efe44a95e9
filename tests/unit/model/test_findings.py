"""The lines about what inspections showed: few, short, and never instead of the rest."""

from dataclasses import replace

from reme_model.prompt.context import MAX_CHARACTERS, describe_incident
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.snapshot import EventLine
from tests.unit.model.shops import Shop, report_about
from tests.unit.snapshot.namespace import Namespace, deployment, service

SERVICE = Shop().other("Service", "stock")
POD = Shop().other("Pod", "cart-6d5f7-0abc")


def lines(*findings: Finding, shop: Shop | None = None) -> list[str]:
    live = replace((shop or Shop()).live(), findings=findings)
    return describe_incident(live, report_about("slow")).splitlines()


def new_lines(*findings: Finding, shop: Shop | None = None) -> list[str]:
    before = lines(shop=shop)
    return [line for line in lines(*findings, shop=shop) if line not in before]


def test_without_an_investigation_nothing_is_added() -> None:
    assert new_lines() == []


def test_what_is_wrong_is_said_with_its_subject() -> None:
    finding = Finding(FindingKind.NO_ENDPOINTS, SERVICE, "leads to no ready pod")
    assert new_lines(finding) == ["wrong: service stock: leads to no ready pod"]


def test_a_subject_is_named_once() -> None:
    finding = Finding(FindingKind.NO_ENDPOINTS, SERVICE, "stock leads to no ready pod")
    assert new_lines(finding) == ["wrong: stock leads to no ready pod"]


def test_what_others_wrote_is_quoted() -> None:
    log = Finding(FindingKind.LOG_ERROR, POD, 'no such key "price"')
    assert new_lines(log) == ["wrong: log of cart-6d5f7-0abc: \"no such key 'price'\""]


def test_an_event_that_is_described_anyway_is_not_repeated() -> None:
    shop = Shop(events=[EventLine("Pod", POD.name, "Unhealthy", "probe failed: 500", 3)])
    event = Finding(FindingKind.WARNING_EVENT, POD, f"Unhealthy of {POD}: probe failed: 500")
    assert new_lines(event, shop=shop) == []


def test_a_change_is_a_fact_and_not_wrong_by_itself() -> None:
    change = Finding(FindingKind.RECENT_CHANGE, SERVICE, "revision 2, 40 s before the fault")
    (line,) = new_lines(change)
    assert line == "changed shortly before, service stock: revision 2, 40 s before the fault"


def test_what_is_normal_is_only_named_and_what_is_wrong_is_not_called_normal() -> None:
    healthy = Finding(FindingKind.NORMAL, SERVICE, "answers")
    assert any("service stock" in line for line in lines(healthy) if line.startswith("normal: "))
    wrong = Finding(FindingKind.REQUEST_FAILED, SERVICE, "answered 500")
    normal = [line for line in lines(healthy, wrong) if line.startswith("normal: ")]
    assert not any("service stock" in line for line in normal)


def test_what_could_not_be_read_says_nothing() -> None:
    assert new_lines(Finding(FindingKind.UNAVAILABLE, POD, "may not be read")) == []


def test_many_findings_never_take_the_place_of_other_lines() -> None:
    shop = Shop(ready=0, restarts=3, events=[EventLine("Pod", "x", f"R{n}", "m") for n in range(9)])
    noise = [Finding(FindingKind.LOG_ERROR, POD, f"line {n} {'x' * 280}") for n in range(48)]
    before, after = lines(shop=shop), lines(*noise, shop=shop)
    assert [line for line in before if line not in after] == []
    assert len([line for line in after if "log of" in line]) <= 5
    assert len("\n".join(after)) <= MAX_CHARACTERS


def test_a_dependency_that_has_a_line_of_its_own_is_not_repeated() -> None:
    namespace = Namespace(
        [deployment("cart", env={"STOCK_URL": "http://stock/"}), deployment("stock", replicas=0)],
        [service("cart"), service("stock")],
    )
    live = namespace.live()
    (dependency,) = live.dependencies
    assert dependency.problem
    finding = Finding(FindingKind.NO_ENDPOINTS, SERVICE, f"stock {dependency.problem}")
    texts = describe_incident(replace(live, findings=(finding,)), report_about("slow"))
    assert texts.count(dependency.problem) == 1
