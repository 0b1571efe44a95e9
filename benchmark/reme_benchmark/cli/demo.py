"""`reme-bench demo`: breaks an example shop twice on a real cluster and shows reme's repair.

The exit code tells whether every step worked, from the report to an outcome. Whether the playbook
of the model helped is part of the printed verdict.
"""

from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.rule import Rule

from reme_api.reasons import Outcome
from reme_api.remediation import Remediation
from reme_benchmark.cli.remediation_progress import FollowError, follow, record, verdict
from reme_benchmark.harness.shop import NAMESPACE, Shop, ShopError, manifest
from reme_cluster.errors import CommandError
from reme_cluster.kubectl import Kubectl


@dataclass(frozen=True)
class Scenario:
    """A fault of the shop, and the report that a diagnosis tool would write."""

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
        ShopError: the shop could not be deployed or broken.
        FollowError: the remediation did not start or did not end.
    """
    console.print(Rule(scenario.title, align="left"))
    with console.status("deploying the shop"):
        shop.deploy()
        sli = shop.wait_for_front_door(healthy=True, timeout_seconds=120)
    console.print(f"before: {sli}")
    report = manifest(scenario.report)[0]
    name = report["metadata"]["name"]
    # A report gets one remediation only; a new report starts a new one.
    shop.kubectl.delete("diagnosisreports.reme.dev", name, NAMESPACE)
    scenario.inject(shop)
    with console.status("injecting the fault"):
        sli = shop.wait_for_front_door(healthy=False, timeout_seconds=120)
    console.print(f"broken: {sli}")
    shop.kubectl.apply(report)
    console.print(f"kubectl apply: DiagnosisReport {NAMESPACE}/{name}")
    ended = follow(
        console, shop.kubectl, NAMESPACE, name, timeout_seconds, lambda: str(shop.front_door(3))
    )
    console.print(record(shop.kubectl, ended))
    console.print(f"after: {shop.front_door(3)}")
    console.print(f"record: kubectl -n {NAMESPACE} get remediation {ended.metadata.name} -o yaml")
    return ended


def demo(*, timeout: float = 600) -> int:
    """Break an example shop twice and show how reme repairs it.

    Args:
        timeout: Seconds per remediation.
    """
    console = Console()
    shop = Shop(Kubectl.from_environment())
    lines, failed = [], False
    try:
        shop.kubectl.apply(*manifest("shop.yaml")[:1])
        shop.kubectl.apply(*manifest("policy.yaml"))
        for scenario in SCENARIOS:
            ended = play(console, shop, scenario, timeout)
            failed = failed or ended.status.outcome is Outcome.FAILED
            lines.append(verdict(ended))
    except (FollowError, CommandError, ShopError) as error:
        console.print(f"[bold red]The demonstration failed:[/] {error}", highlight=False)
        failed = True
    console.print(Rule("Verdicts", align="left"))
    for line in lines:
        console.print(line)
    console.print("The cluster keeps running: look around with kubectl; `make clean` removes it.")
    return int(failed)
