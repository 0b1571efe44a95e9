"""What is around a workload is told where it holds the workload back, and only there."""

from dataclasses import replace

import pytest

from reme_model.prompt.context import describe_incident
from tests.unit.model.shops import report_about
from tests.unit.playbook.builders import FRONT, Shop
from tests.unit.playbook.constrained import (
    ASTRAY,
    BUDGET,
    CORDONED,
    FULL,
    GUARDED,
    HELD,
    HPA,
    INGRESS,
    LIMITED,
    MISPLACED,
    NEIGHBOURS,
    POLICY,
    QUOTA,
    SHUT,
    TAINTED,
    autoscaler,
    budget,
    ingress,
    network_policy,
    path,
    peers,
    quota,
)

CART_PATH, CART = "shop.example/cart", "cart port 80"


def description_lines(shop: Shop) -> list[str]:
    lines = describe_incident(shop.live(), report_about("fault")).splitlines()
    wrong = [line.removeprefix("wrong: ") for line in lines if line.startswith("wrong: ")]
    usual = ("2 of 2", "4 of 4", "1 of 2", "pod ")
    return [line for line in wrong if not line.startswith(usual)]


@pytest.mark.parametrize(
    ("shop", "lines"),
    [
        (FULL, ["quota all: used 4 of 4 pods, 5 needed, so pods are missing"]),
        (LIMITED, ["autoscaler cart allows at most 2 replicas and wants more"]),
        (GUARDED, ["disruption budget cart lets no pod of 4 be moved"]),
        (HELD, ["job cart-migration is suspended"]),
        (CORDONED, ["node n1 is cordoned"]),
        (TAINTED, ["node n1 has taint dedicated:NoSchedule, which pods do not bear"]),
        (MISPLACED, ["pods ask for a node with disk=ssd, and there is none"]),
        (
            ASTRAY,
            [f"ingress shop leads {CART_PATH} to cartt port 80, which is wrong: there is {CART}"],
        ),
        (
            SHUT,
            [
                "network policy cart keeps out front, which calls it",
                "network policy cart does not let it ask the DNS",
                "network policy cart does not let it reach stock",
            ],
        ),
        (
            replace(SHUT, callers=(), related={POLICY: network_policy(ingress=[])}),
            ["network policy cart lets nobody in"],
        ),
    ],
)
def test_what_holds_the_workload_back_is_told(shop: Shop, lines: list[str]) -> None:
    assert description_lines(shop) == lines


def test_of_what_is_as_it_should_be_there_is_no_word() -> None:
    related = {
        HPA: autoscaler(limited=False),
        QUOTA: quota({"pods": "9"}, {"pods": "4"}),
        BUDGET: budget(maxUnavailable=1),
        INGRESS: ingress(path("cart")),
        POLICY: network_policy(ingress=[peers(app="front")]),
    }
    shop = Shop(related=related, callers=(FRONT,), neighbours=NEIGHBOURS)
    assert describe_incident(shop.live(), report_about("fault")) == describe_incident(
        replace(shop, related={}).live(), report_about("fault")
    )
