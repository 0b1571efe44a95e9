"""Settings of the target that name a missing Service, and the values that would repair them.

What was so while there was no fault is not wrong: an optional service that is not installed is no
cause. It may be one all the same if the report or a log names it.
"""

from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.dependency import Mention
from reme_playbook.snapshot.finding import FindingKind
from reme_playbook.snapshot.healthy_settings import unchanged
from reme_playbook.snapshot.named_hosts import host_aliases
from reme_playbook.snapshot.reported_failures import mentions
from reme_playbook.snapshot.sensitive import sensitive_name, sensitive_value
from reme_playbook.snapshot.service_hosts import (
    missing_hosts,
    replaced_hosts,
    replaces_missing_hosts,
)
from reme_playbook.snapshot.snapshot import ClusterSnapshot


def repaired_values(snapshot: ClusterSnapshot, mention: Mention) -> tuple[str, ...]:
    """Return the present value with existing Services in place of missing ones, likely ones first.

    Empty if it names no missing Service, if it was so while there was no fault, or may be a secret.
    """
    value = present_value(snapshot, mention)
    if not value or not _may_be_wrong(snapshot, mention, value):
        return ()
    return replaced_hosts(
        mention.variable,
        value,
        snapshot.service_names,
        snapshot.target.namespace,
        resolved=once_a_service(snapshot, mention),
        own=[service.name for service in snapshot.services if service.selects_target],
    )


def is_repaired_value(snapshot: ClusterSnapshot, mention: Mention, new: str) -> bool:
    """Return whether the new value differs only in missing hosts, which are Services now."""
    value = present_value(snapshot, mention)
    return bool(value) and (
        replaces_missing_hosts(
            mention.variable,
            value or "",
            new,
            snapshot.service_names,
            snapshot.target.namespace,
            resolved=once_a_service(snapshot, mention),
        )
        and _may_be_wrong(snapshot, mention, value or "")
    )


def present_value(snapshot: ClusterSnapshot, mention: Mention) -> str | None:
    """Return the literal value of a variable or of a key of a ConfigMap."""
    if mention.config_map:
        return snapshot.config_map(mention.config_map).get(mention.variable)
    view = views.any_container(snapshot.template, mention.container)
    return view.env.get(mention.variable) if view else None


def once_a_service(snapshot: ClusterSnapshot, mention: Mention) -> bool:
    """Return whether an earlier value of the setting is the name of a Service that exists."""
    if mention.config_map:
        applied = snapshot.last_applied_config(mention.config_map)
        earlier = [unstructured.strings(applied, "data").get(mention.variable)]
    else:
        containers = (
            views.any_container(template, mention.container)
            for template in snapshot.earlier_templates
        )
        earlier = [view.env.get(mention.variable) for view in containers if view]
    return any(value in snapshot.service_names for value in earlier)


def _may_be_wrong(snapshot: ClusterSnapshot, mention: Mention, value: str) -> bool:
    if sensitive_name(mention.variable) or sensitive_value(value):
        return False
    hosts = missing_hosts(
        mention.variable,
        value,
        snapshot.service_names,
        snapshot.target.namespace,
        resolved=once_a_service(snapshot, mention),
    )
    if not hosts or host_aliases(snapshot) & set(hosts):
        return False
    return not unchanged(snapshot, mention) or any(_is_blamed(snapshot, host) for host in hosts)


def _is_blamed(snapshot: ClusterSnapshot, host: str) -> bool:
    """Return whether the report or a log of the target names the host."""
    logs = [f.text for f in snapshot.findings if f.kind is FindingKind.LOG_ERROR]
    return mentions(host, logs) or any(
        dependency.reported and dependency.service == host for dependency in snapshot.dependencies
    )
