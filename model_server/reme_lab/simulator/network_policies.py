"""NetworkPolicies: which requests between pods they permit."""

from collections.abc import Mapping

from reme_lab.simulator.identity_cache import cache_recent_by_identity
from reme_lab.simulator.world import World
from reme_playbook.snapshot import related_views, unstructured
from reme_playbook.snapshot.reachability import ingress_allowed
from reme_playbook.snapshot.related_views import NetworkPolicyView

OUTSIDE: dict[str, str] = {"simulator.invalid/outside": "true"}
"""Labels that stand for a client outside the namespace."""


@cache_recent_by_identity
def enforced_policies(world: World) -> list[NetworkPolicyView]:
    """Return the NetworkPolicies; none if the cluster's network ignores them."""
    if not world.ground_truth.policies_enforced:
        return []
    return [related_views.network_policy(policy) for _, policy in world.of_kind("NetworkPolicy")]


def selecting_policies(world: World, labels: Mapping[str, str]) -> list[NetworkPolicyView]:
    """Return the policies that select pods with these labels."""
    return [view for view in enforced_policies(world) if view.selector.matches(labels)]


def ingress_permitted(
    world: World,
    labels: Mapping[str, str],
    client: Mapping[str, str],
    number: int,
    name: int | str,
) -> bool:
    """Return whether a client reaches a port of pods with these labels.

    `client` are the labels of the requesting pod, or OUTSIDE; a rule may give the port by `number`
    or by `name`.
    """
    policies = selecting_policies(world, labels)
    if not policies:
        return True
    if client is OUTSIDE:
        return _outside_permitted(policies, number)
    return ingress_allowed(policies, client, number) or ingress_allowed(policies, client, name)


def _outside_permitted(policies: list[NetworkPolicyView], port: int) -> bool:
    restrictions = [policy.ingress for policy in policies if policy.ingress is not None]
    for rules in restrictions:
        for rule in rules:
            peers, ports = unstructured.items(rule, "from"), unstructured.items(rule, "ports")
            open_to_all = not peers or any(
                peer.get("namespaceSelector") == {} or "ipBlock" in peer for peer in peers
            )
            if open_to_all and (not ports or any(p.get("port") in (None, port) for p in ports)):
                return True
    return not restrictions
