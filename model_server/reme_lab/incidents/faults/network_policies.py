"""NetworkPolicies that block callers, or calls to dependencies."""

from reme_lab.incidents.broken_system import (
    BrokenSystem,
    EvidenceText,
    FaultEffects,
    FaultMaker,
    expect,
)
from reme_lab.incidents.faults.common import RESTART, ROLL_BACK, SCALE
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import System
from reme_playbook.actions.network_policy import AllowEgress, AllowIngress


def deny_policy(rng: Rng, system: System) -> BrokenSystem | None:
    """A NetworkPolicy blocks the callers."""
    callers = [n for n in system.neighbours if n.calls_target]
    if not callers:
        return None
    name = rng.choice(
        ("isolate", "deny-all", "quarantine", "restrict", "closed", "default-deny")
    ) + ("" if rng.chance(40) else f"-{system.name}")
    rules = []
    if rng.chance(30) and len(callers) > 1:
        rules = [{"from": [{"podSelector": {"matchLabels": {"app": callers[0].name}}}]}]
        callers = callers[1:]
    elif len(callers) > 1:
        for other in callers[1:]:
            other.calls_target = False
        callers = callers[:1]
    for other in callers[1:]:
        other.calls_target = False
    system.related_objects[system.object_ref("NetworkPolicy", name)] = {
        "metadata": {"name": name, "namespace": system.namespace},
        "spec": {
            "podSelector": {"matchLabels": {"app": system.name}},
            "policyTypes": ["Ingress"],
            "ingress": rules,
        },
    }
    port = callers[0].port
    return BrokenSystem(
        system,
        fault_types=(
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
        terse_summaries=("{name} [timeouts|unreachable from {caller}|dropped connections]",),
        wrong_diagnoses=(
            ("hang", "{name} [hangs|sleeps]; [bounce|restart] it."),
            ("network-loss", "[Packets|Calls] to {name} [vanish|get lost]."),
            ("overload", "{name} has no capacity left."),
        ),
        evidence=(
            EvidenceText("Log", "Pod of {caller}", "dial {name}:{port}: i/o timeout"),
            EvidenceText("Text", "cni", "[drop|verdict DROPPED] {caller} -> {name}"),
        ),
        user_impact="errors",
        probed_service=callers[0].name,
        probed_port=port,
        repairs=((expect(AllowIngress, name, labels={"app": callers[0].name}, port=system.port),),),
        useless_repairs=(RESTART, ROLL_BACK, SCALE),
        effects=FaultEffects(entry_service=callers[0].name, entry_port=port),
        text_values={"caller": callers[0].name, "policy": name, "port": system.port},
    )


def egress_policy(rng: Rng, system: System) -> BrokenSystem | None:
    """A NetworkPolicy blocks calls to a dependency."""
    called = [n for n in system.neighbours if n.called_by_target]
    if not called:
        return None
    for other in called[1:]:
        other.called_by_target = False
    name = rng.choice(("egress", "no-egress", "outbound", "lockdown-out", "limit-egress"))
    dns = {
        "to": [
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
        ],
        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
    }
    if called[0].name not in str(system.main_container["env"]):
        return None
    system.related_objects[system.object_ref("NetworkPolicy", name)] = {
        "metadata": {"name": name, "namespace": system.namespace},
        "spec": {
            "podSelector": {"matchLabels": {"app": system.name}},
            "policyTypes": ["Egress"],
            "egress": [dns],
        },
    }
    return BrokenSystem(
        system,
        fault_types=("egress-policy", "network-policy", "blocked-egress", "connection-timeout"),
        summaries=(
            (
                "{name} [may not|cannot] [talk to|reach] {other}: policy {policy} [blocks "
                "it|lets nothing out]."
            ),
            "[Outgoing|Outbound] calls of {name} [time out|hang].",
        ),
        terse_summaries=("{name} [outbound timeouts|cannot reach {other}]",),
        wrong_diagnoses=(
            ("dependency-down", "{other} does not answer {name}."),
            ("network-loss", "{name} loses packets."),
        ),
        evidence=(EvidenceText("Log", "Pod/{pod}/{container}", "connect {other}: i/o timeout"),),
        user_impact="errors",
        repairs=(
            (expect(AllowEgress, name, labels={"app": called[0].name}, port=called[0].port),),
        ),
        useless_repairs=(RESTART, ROLL_BACK, SCALE),
        text_values={"other": called[0].name, "policy": name, "pod": system.pods[0].name},
    )


FAULTS: dict[str, FaultMaker] = {
    "deny-policy": deny_policy,
    "egress-policy": egress_policy,
}
