"""NetworkPolicies that keep out who calls, or in who has to call."""

from reme_lab.incidents.broken_system import Clue, Hidden, Incident, Maker, wish
from reme_lab.incidents.faults.common import BACK, RESTART, SCALE
from reme_lab.incidents.rng import Draw
from reme_lab.incidents.system import System
from reme_playbook.actions.registry import AllowEgress, AllowIngress


def deny_policy(draw: Draw, system: System) -> Incident | None:
    """A NetworkPolicy keeps out who calls it."""
    callers = [n for n in system.neighbours if n.calls_target]
    if not callers:
        return None
    name = draw.one(("isolate", "deny-all", "quarantine", "restrict", "closed", "default-deny")) + (
        "" if draw.chance(40) else f"-{system.name}"
    )
    rules = []
    if draw.chance(30) and len(callers) > 1:
        rules = [{"from": [{"podSelector": {"matchLabels": {"app": callers[0].name}}}]}]
        callers = callers[1:]
    elif len(callers) > 1:
        for other in callers[1:]:
            other.calls_target = False
        callers = callers[:1]
    for other in callers[1:]:
        other.calls_target = False
    system.around[system.other("NetworkPolicy", name)] = {
        "metadata": {"name": name, "namespace": system.namespace},
        "spec": {
            "podSelector": {"matchLabels": {"app": system.name}},
            "policyTypes": ["Ingress"],
            "ingress": rules,
        },
    }
    port = callers[0].port
    return Incident(
        system,
        types=(
            "deny-policy",
            "network-policy",
            "connection-timeout",
            "blocked-traffic",
            "policy-denies",
        ),
        summaries=(
            (
                "{caller} [gets no answer from|cannot reach|is cut off from] {name}: policy "
                "{policy} [forbids it|does not let it in]."
            ),
            (
                "[Connections|Calls] from {caller} to {name}:{port} [time out|are "
                "dropped|never arrive]."
            ),
        ),
        terse=("{name} [timeouts|unreachable from {caller}|dropped connections]",),
        astray=(
            ("hang", "{name} [hangs|sleeps]; [bounce|restart] it."),
            ("network-loss", "[Packets|Calls] to {name} [vanish|get lost]."),
            ("overload", "{name} has no capacity left."),
        ),
        clues=(
            Clue("Log", "Pod of {caller}", "dial {name}:{port}: i/o timeout"),
            Clue("Text", "cni", "[drop|verdict DROPPED] {caller} -> {name}"),
        ),
        felt="errors",
        asked=callers[0].name,
        asked_port=port,
        repairs=((wish(AllowIngress, name, labels={"app": callers[0].name}, port=system.port),),),
        useless=(RESTART, BACK, SCALE),
        hidden=Hidden(front=callers[0].name, front_port=port),
        values={"caller": callers[0].name, "policy": name, "port": system.port},
    )


def egress_policy(draw: Draw, system: System) -> Incident | None:
    """A NetworkPolicy keeps it from what it calls."""
    called = [n for n in system.neighbours if n.called]
    if not called:
        return None
    for other in called[1:]:
        other.called = False
    name = draw.one(("egress", "no-egress", "outbound", "lockdown-out", "limit-egress"))
    dns = {
        "to": [
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
        ],
        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
    }
    if called[0].name not in str(system.main["env"]):
        return None
    system.around[system.other("NetworkPolicy", name)] = {
        "metadata": {"name": name, "namespace": system.namespace},
        "spec": {
            "podSelector": {"matchLabels": {"app": system.name}},
            "policyTypes": ["Egress"],
            "egress": [dns],
        },
    }
    return Incident(
        system,
        types=("egress-policy", "network-policy", "blocked-egress", "connection-timeout"),
        summaries=(
            (
                "{name} [may not|cannot] [talk to|reach] {other}: policy {policy} [blocks "
                "it|lets nothing out]."
            ),
            "[Outgoing|Outbound] calls of {name} [time out|hang].",
        ),
        terse=("{name} [outbound timeouts|cannot reach {other}]",),
        astray=(
            ("dependency-down", "{other} does not answer {name}."),
            ("network-loss", "{name} loses packets."),
        ),
        clues=(Clue("Log", "Pod/{pod}/{container}", "connect {other}: i/o timeout"),),
        felt="errors",
        repairs=((wish(AllowEgress, name, labels={"app": called[0].name}, port=called[0].port),),),
        useless=(RESTART, BACK, SCALE),
        values={"other": called[0].name, "policy": name, "pod": system.pods[0].name},
    )


FAULTS: dict[str, Maker] = {
    "deny-policy": deny_policy,
    "egress-policy": egress_policy,
}
