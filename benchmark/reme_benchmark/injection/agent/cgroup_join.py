"""Moves this process into control groups.

A helper does this when it is ready to work. Its start is then charged to the agent instead of the
container, and a throttled container does not slow the start down.
"""

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path


def join(files: Sequence[str], *, must: bool = True) -> None:
    """Join the groups of these `cgroup.procs` files; with `must`, exit when one refuses.

    Also resets `oom_score_adj`, which the helper inherited from the agent.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("0")
    for file in files:
        try:
            Path(file).write_text("0")  # 0 is the writing process, in any process namespace
        except OSError as error:
            if must:
                sys.exit(f"cannot join {file}: {error.strerror}")
