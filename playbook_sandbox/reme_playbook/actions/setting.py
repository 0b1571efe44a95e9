"""What a setting may become: a variable of a container or a key of a ConfigMap."""

from collections.abc import Sequence

from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot.dependency import Mention
from reme_playbook.snapshot.earlier_values import in_none
from reme_playbook.snapshot.missing_hosts import is_repaired_value
from reme_playbook.snapshot.sensitive import sensitive_name, sensitive_value
from reme_playbook.snapshot.snapshot import ClusterSnapshot

MAX_EARLIER = 3


def check_setting(
    label: str,
    mention: Mention,
    current: str | None,
    new: str,
    earlier: Sequence[str],
    snapshot: ClusterSnapshot,
) -> None:
    """Reject a value that may be a secret, or that is neither an earlier one nor a repaired host.

    `label` names the setting in messages. A repaired host is the current value with the name of a
    Service that exists instead of one that does not.
    """
    if sensitive_name(mention.variable) or sensitive_value(new) or sensitive_value(current or ""):
        raise RejectedPlaybookError(RejectionRule.SENSITIVE, f"{label} may hold a secret")
    if new == current:
        raise RejectedPlaybookError(RejectionRule.NO_CHANGE, f"{label} already has this value")
    if new not in earlier and not is_repaired_value(snapshot, mention, new):
        never = (
            f"had this value {in_none(snapshot)}" if snapshot.abandoned else "never had this value"
        )
        raise RejectedPlaybookError(
            RejectionRule.UNKNOWN_VALUE,
            f"{label} {never}, and the value does not replace the name of a missing Service by "
            "that of an existing one",
        )
