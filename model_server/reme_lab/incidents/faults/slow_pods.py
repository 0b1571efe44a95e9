"""Faults of a single pod's disk or network, which no Kubernetes status shows."""

from collections.abc import Sequence

from reme_lab.incidents.broken_system import (
    BrokenSystem,
    EvidenceText,
    FaultEffects,
    FaultMaker,
    expect,
)
from reme_lab.incidents.faults.common import RESTART, SCALE, add_probe_timeout_event
from reme_lab.incidents.faults.single_pod import replace_pod_repairs
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import System
from reme_lab.simulator import Stress
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.resources import SetResources


def disk_io(rng: Rng, system: System) -> BrokenSystem:
    """Disk writes of one pod are slow, and may block the program."""
    pod, wait = rng.choice(system.pods), rng.parameter((450, 700, 900, 1300, 2100, 2800))
    stalled = rng.chance(30)
    pod.ready = not stalled
    if stalled or rng.chance(30):
        add_probe_timeout_event(rng, system, rng.integer(3, 40) if stalled else rng.integer(1, 3))
    named = stalled or rng.chance(35)
    alone = rng.choice(("", "refused", "silent")) if system.replicas == 1 else ""
    return BrokenSystem(
        system,
        fault_types=(
            "disk-io",
            "slow-disk",
            "disk-latency",
            "io-stall",
            "disk-stress",
            "io-pressure",
        ),
        summaries=(
            (
                "[Writes|fsync calls|Disk writes] [in|of|by] {where} [need|last|block for] "
                "{wait} ms[; usually 2 ms|]."
            ),
            (
                "{where} [waits|is blocked] on [disk|storage|its volume] [most of the "
                "time|for each request that stores data]."
            ),
            (
                "[I/O|Disk] [stall|pressure|contention] on {name}: [throughput fell to a "
                "trickle|the write queue is full]."
            ),
        ),
        terse_summaries=("{name} [disk slow|io wait|write latency]",),
        wrong_diagnoses=(
            (
                "cpu-throttling",
                "{name} responds slowly; [raise its CPU|it needs a higher CPU limit].",
            ),
            (
                "bad-rollout",
                "{name} got slow, [maybe|possibly] [with|because of] its [current|newest] build.",
            ),
            ("overload", "{name} cannot keep pace; more replicas [may|would] help."),
        ),
        evidence=(
            EvidenceText(
                "Metric",
                "Pod/{pod}/{container}" if named else "node-exporter",
                "[io_time|write await] {wait} ms",
            ),
            EvidenceText("Log", "{source}", "[slow write|flush took|commit took] {wait} ms"),
        ),
        user_impact=alone if stalled else "slow",
        # Deleting a pod that does not serve costs nothing.
        repairs=((expect(DeletePod, pod.name),), RESTART)
        if stalled
        else replace_pod_repairs(system, pod.name, identified=named),
        useless_repairs=(SCALE, (expect(SetResources),)),
        effects=FaultEffects(
            {pod.name: Stress(disk=True, failed=stalled)}, default_behaviour={"writes_disk": True}
        ),
        text_values={
            "pod": pod.name,
            "wait": wait,
            "where": pod.name if named else system.name,
            "source": f"Pod/{pod.name}" if named else "app",
        },
    )


def network_loss(rng: Rng, system: System) -> BrokenSystem:
    """One pod loses packets."""
    return _network(
        rng,
        system,
        ("network-loss", "packet-loss", "net-loss", "lossy-network", "retransmissions"),
        (
            "{where} [loses|drops] {amount}% of its [packets|frames|traffic].",
            (
                "[TCP retransmits|Retransmissions] [of|at] {where} [reached|rose to|hit] "
                "{amount}%[, clients wait|]."
            ),
            (
                "[Connections|Calls] to {name} [stall|are flaky]: [lossy link|packets "
                "vanish|segments get lost]."
            ),
        ),
        ("{name} [retransmits|drops packets|lossy]",),
        rng.parameter((20, 30, 35, 40, 55, 65, 75, 85)),
        "retransmit ratio {amount}%",
    )


def network_delay(rng: Rng, system: System) -> BrokenSystem:
    """Packets of one pod are late."""
    return _network(
        rng,
        system,
        ("network-delay", "network-latency", "slow-network", "net-delay", "high-rtt"),
        (
            (
                "[Round trips|RTT|Pings] to {where} [take|need|went up to] {amount} ms[ "
                "instead of 1|]."
            ),
            (
                "[Everything|Every packet] {where} [sends|emits] [is late by|is held back] "
                "{amount} ms."
            ),
            (
                "[Latency|Delay] on the [network|wire|link] of {name}: {amount} ms "
                "[added|extra|per hop]."
            ),
        ),
        ("{name} [rtt up|network slow|late packets]",),
        rng.parameter((300, 500, 650, 900, 1100, 1400, 1700, 2500)),
        "rtt {amount} ms",
    )


def _network(
    rng: Rng,
    system: System,
    types: Sequence[str],
    summaries: Sequence[str],
    terse: Sequence[str],
    amount: int,
    metric: str,
) -> BrokenSystem:
    pod, named = rng.choice(system.pods), rng.chance(30)
    lossy = "loss" in types[0]
    if rng.chance(30):  # before the probe has failed often enough
        add_probe_timeout_event(rng, system, rng.integer(1, 3))
    stress = Stress(loss_percent=max(40, amount)) if lossy else Stress(delay_milliseconds=amount)
    return BrokenSystem(
        system,
        fault_types=types,
        summaries=summaries,
        terse_summaries=terse,
        wrong_diagnoses=(
            ("overload", "{name} [lags|is late]; its replicas [are too few|drown in work]."),
            (
                "bad-rollout",
                (
                    "{name} [lags|is late], [perhaps|probably] [its newest build|the new "
                    "build] is at fault."
                ),
            ),
            ("cpu-stress", "{name} [lags|is late], a CPU shortage is [likely|suspected]."),
        ),
        evidence=(
            EvidenceText("Metric", "Pod/{pod}" if named else "mesh", metric),
            EvidenceText(
                "Log",
                "client of {name}",
                "[deadline exceeded|read timeout|i/o timeout] after {late} ms",
            ),
            EvidenceText("Metric", "mesh", "p95 of calls to {name} {late} ms"),
        ),
        user_impact=rng.choice(("slow", "slow", "silent")),
        repairs=replace_pod_repairs(system, pod.name, identified=named),
        useless_repairs=(SCALE, (expect(SetResources),)),
        effects=FaultEffects({pod.name: stress}),
        text_values={
            "pod": pod.name,
            "amount": amount,
            "where": pod.name if named else system.name,
            "late": rng.integer(900, 5000),
        },
    )


FAULTS: dict[str, FaultMaker] = {
    "disk-io": disk_io,
    "network-loss": network_loss,
    "network-delay": network_delay,
}
