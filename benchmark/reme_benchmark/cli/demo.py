"""`make demo`: a shop is broken twice and reme is asked to repair it, everything real.

The exit code says whether the whole path worked, from the report to an honest outcome. Whether
the model's playbook helped is the verdict's business, and it is printed as it was.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.rule import Rule

from reme_api.reasons import Outcome
from reme_api.remediation import Remediation
from reme_benchmark.cli.remediation_progress import FollowError, follow, record, verdict
from reme_benchmark.harness.shop import NAMESPACE, Shop, ShopError, manifest
from reme_benchmark.kube.kubectl import Kubectl, KubectlError


@dataclass(frozen=True)
class Scenario:
    """One way to break the shop, and the report that a diagnosis tool would write."""

    title: str
    report: str
    inject: Callable[[Shop], None]


SCENARIOS = (
    Scenario(
        "A bad rollout: version 2 of catalog answers every request with an error",
        "report-catalog.yaml",
        lambda shop: shop.set_env("catalog", VERSION="2", FAIL_PERCENT="100"),
    ),
    Scenario(
        "A resource fault: cart's memory limit is lowered below what it needs",
        "report-cart.yaml",
        lambda shop: shop.set_memory_limit("cart", "32Mi"),
    ),
)


def play(console: Console, shop: Shop, scenario: Scenario, timeout_seconds: float) -> Remediation:
    """Break the shop, report it, show the repair and return its record.

    Raises:
        ShopError: the shop could not be brought up or broken.
        FollowError: the remediation did not begin or did not end.
    """
    console.print(Rule(scenario.title, align="left"))
    with console.status("the shop is brought to its healthy state"):
        shop.deploy()
        felt = shop.wait_for_front_door(healthy=True, timeout_seconds=120)
    console.print(f"before: {felt}")
    report = manifest(scenario.report)[0]
    name = report["metadata"]["name"]
    # A report that was repaired once is history: a new one begins a new remediation.
    shop.kubectl.delete("diagnosisreports.reme.dev", name, NAMESPACE)
    scenario.inject(shop)
    with console.status("the fault is injected"):
        felt = shop.wait_for_front_door(healthy=False, timeout_seconds=120)
    console.print(f"broken: {felt}")
    shop.kubectl.apply(report)
    console.print(f"kubectl apply: DiagnosisReport {NAMESPACE}/{name}")
    ended = follow(
        console, shop.kubectl, NAMESPACE, name, timeout_seconds, lambda: str(shop.front_door(3))
    )
    console.print(record(shop.kubectl, ended))
    console.print(f"after: {shop.front_door(3)}")
    console.print(f"record: kubectl -n {NAMESPACE} get remediation {ended.metadata.name} -o yaml")
    return ended


def main() -> None:
    """Play every scenario; exit with 1 when the path broke, and with 0 whatever the verdicts."""
    parser = argparse.ArgumentParser(prog="reme_benchmark.cli.demo", description=__doc__)
    parser.add_argument("--timeout", type=float, default=600, help="seconds per remediation")
    arguments = parser.parse_args()
    console = Console()
    shop = Shop(Kubectl.from_environment())
    lines, broken = [], False
    try:
        shop.kubectl.apply(*manifest("shop.yaml")[:1])
        shop.kubectl.apply(*manifest("policy.yaml"))
        for scenario in SCENARIOS:
            ended = play(console, shop, scenario, arguments.timeout)
            broken = broken or ended.status.outcome is Outcome.FAILED
            lines.append(verdict(ended))
    except (FollowError, KubectlError, ShopError) as error:
        console.print(f"[bold red]The path broke:[/] {error}", markup=True, highlight=False)
        broken = True
    console.print(Rule("Verdicts", align="left"))
    for line in lines:
        console.print(line)
    console.print("The cluster stays up: look around with kubectl, `make clean` removes it.")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
