"""Which settings of the target are as they were before the fault: what was so is not wrong."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.changes import last_change
from reme_playbook.snapshot.dependency import Mention
from reme_playbook.snapshot.healthy_revisions import SETTLED, healthy_revisions, was_complete
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.times import parse_time

UNOBSERVED = timedelta(minutes=5)
"""Before a report that came at an unknown time after the fault began."""


def unchanged(snapshot: ClusterSnapshot, mention: Mention) -> bool:
    """Return whether the setting has the value that it had while there was no fault.

    If the start of the fault was not observed, it must have had the value in every revision, for
    five minutes before the report. False if that is not known.
    """
    if mention.config_map:
        return _key_unchanged(snapshot, mention)
    present = _setting(snapshot.template, mention)
    if present is None:
        return False
    if snapshot.fault_start_observed:
        healthy = healthy_revisions(snapshot)
        return any(_setting(revision.template, mention) == present for revision in healthy)
    start, revision = snapshot.fault_start, snapshot.current_revision
    created = parse_time(revision.created) if revision else None
    return (
        start is not None
        and created is not None
        and created + UNOBSERVED <= start
        and was_complete(snapshot, start)
        and all(_setting(t, mention) == present for t in snapshot.earlier_templates)
    )


def _key_unchanged(snapshot: ClusterSnapshot, mention: Mention) -> bool:
    key = ObjectRef("ConfigMap", snapshot.target.namespace, mention.config_map)
    start, change = snapshot.fault_start, last_change(key, snapshot.objects.get(key, {}))
    value = snapshot.config_map(mention.config_map).get(mention.variable)
    applied = unstructured.strings(snapshot.last_applied(key), "data").get(mention.variable, value)
    margin = SETTLED if snapshot.fault_start_observed else UNOBSERVED
    return (
        start is not None
        and change is not None
        and change.at + margin <= start
        and applied == value
    )


def _setting(template: Mapping[str, Any], mention: Mention) -> Any:
    for kind in ("containers", "initContainers"):
        container = unstructured.by_name(template, "spec", kind, name=mention.container)
        if container:
            if mention.variable in ("command", "args"):
                return container.get(mention.variable)
            return unstructured.by_name(container, "env", name=mention.variable).get("value")
    return None
