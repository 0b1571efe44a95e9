"""Faults of one pod's disk or network, which no state of Kubernetes shows."""

from collections.abc import Sequence

from reme_lab.incidents.broken_system import Clue, Hidden, Incident, Maker, wish
from reme_lab.incidents.faults.common import RESTART, SCALE, late_probe
from reme_lab.incidents.faults.single_pod import fresh_pod
from reme_lab.incidents.rng import Draw
from reme_lab.incidents.system import System
from reme_lab.simulator import Stress
from reme_playbook.actions.registry import DeletePod, SetResources


def disk_io(draw: Draw, system: System) -> Incident:
    """What one pod writes is slow; its program may wait for that with all it does."""
    pod, wait = draw.one(system.pods), draw.parameter((450, 700, 900, 1300, 2100, 2800))
    stalled = draw.chance(30)
    pod.ready = not stalled
    if stalled or draw.chance(30):
        late_probe(draw, system, draw.number(3, 40) if stalled else draw.number(1, 3))
    named = stalled or draw.chance(35)
    alone = draw.one(("", "refused", "silent")) if system.replicas == 1 else ""
    return Incident(
        system,
        types=("disk-io", "slow-disk", "disk-latency", "io-stall", "disk-stress", "io-pressure"),
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
        terse=("{name} [disk slow|io wait|write latency]",),
        astray=(
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
        clues=(
            Clue(
                "Metric",
                "Pod/{pod}/{container}" if named else "node-exporter",
                "[io_time|write await] {wait} ms",
            ),
            Clue("Log", "{source}", "[slow write|flush took|commit took] {wait} ms"),
        ),
        felt=alone if stalled else "slow",
        # A pod that serves nobody is no loss.
        repairs=((wish(DeletePod, pod.name),), RESTART)
        if stalled
        else fresh_pod(system, pod.name, told=named),
        useless=(SCALE, (wish(SetResources),)),
        hidden=Hidden({pod.name: Stress(disk=True, failed=stalled)}, usual={"writes_disk": True}),
        values={
            "pod": pod.name,
            "wait": wait,
            "where": pod.name if named else system.name,
            "source": f"Pod/{pod.name}" if named else "app",
        },
    )


def network_loss(draw: Draw, system: System) -> Incident:
    """One pod loses packets."""
    return _network(
        draw,
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
        draw.parameter((20, 30, 35, 40, 55, 65, 75, 85)),
        "retransmit ratio {amount}%",
    )


def network_delay(draw: Draw, system: System) -> Incident:
    """What one pod sends arrives late."""
    return _network(
        draw,
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
        draw.parameter((300, 500, 650, 900, 1100, 1400, 1700, 2500)),
        "rtt {amount} ms",
    )


def _network(
    draw: Draw,
    system: System,
    types: Sequence[str],
    summaries: Sequence[str],
    terse: Sequence[str],
    amount: int,
    metric: str,
) -> Incident:
    pod, named = draw.one(system.pods), draw.chance(30)
    lossy = "loss" in types[0]
    if draw.chance(30):  # before a probe is late often enough to count
        late_probe(draw, system, draw.number(1, 3))
    stress = Stress(loss_percent=max(40, amount)) if lossy else Stress(delay_milliseconds=amount)
    return Incident(
        system,
        types=types,
        summaries=summaries,
        terse=terse,
        astray=(
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
        clues=(
            Clue("Metric", "Pod/{pod}" if named else "mesh", metric),
            Clue(
                "Log",
                "client of {name}",
                "[deadline exceeded|read timeout|i/o timeout] after {late} ms",
            ),
            Clue("Metric", "mesh", "p95 of calls to {name} {late} ms"),
        ),
        felt=draw.one(("slow", "slow", "silent")),
        repairs=fresh_pod(system, pod.name, told=named),
        useless=(SCALE, (wish(SetResources),)),
        hidden=Hidden({pod.name: stress}),
        values={
            "pod": pod.name,
            "amount": amount,
            "where": pod.name if named else system.name,
            "late": draw.number(900, 5000),
        },
    )


FAULTS: dict[str, Maker] = {
    "disk-io": disk_io,
    "network-loss": network_loss,
    "network-delay": network_delay,
}
