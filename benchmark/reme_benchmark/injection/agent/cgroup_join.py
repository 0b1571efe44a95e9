"""Moves this very process into control groups.

A helper does it when it is ready to work: what it takes to start belongs to the agent, so that the
container pays for the fault alone, and a throttled container does not hold the start up.
"""

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path


def join(files: Sequence[str], *, must: bool = True) -> None:
    """Join the groups of these `cgroup.procs` files; when one refuses that must not, end.

    The kernel must also not take a helper for the first to be killed only because the agent is.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("0")
    for file in files:
        try:
            Path(file).write_text("0")  # whoever writes, in whatever process namespace
        except OSError as error:
            if must:
                sys.exit(f"cannot join {file}: {error.strerror}")
