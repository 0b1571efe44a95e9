"""Reads the playbook of a run inside its Job: the granted text, compiled and rendered again."""

import hashlib
from typing import Any

from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.execution.render import render


def playbook_digest(data: bytes) -> str:
    """Return the digest under which the Job names its playbook."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def load_granted(
    data: bytes, digest: str, run_id: str, *, is_rollback: bool
) -> list[dict[str, Any]]:
    """Return the plays of the playbook with that digest, rendered from its compiled actions.

    Only what the compiler understood is run, never the text itself.

    Raises RejectedPlaybookError if the digest differs or the text does not compile.
    """
    if playbook_digest(data) != digest:
        raise RejectedPlaybookError(
            RejectionRule.INTERNAL,
            "the playbook in the pod is not the one that was granted to this run",
        )
    actions = compile_playbook(data.decode(errors="replace"), for_rollback=is_rollback)
    return render(actions, run_id=run_id)
