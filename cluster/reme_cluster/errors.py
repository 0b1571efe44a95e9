"""The errors that end a command, and the exit code of each.

ClusterError                 1   the message says what failed
├── PrerequisiteError        2   this machine lacks something; nothing was changed
├── BusyError                3   another command works on the same cluster
├── CommandError             1   a program that was called failed
└── NotUpError               4   the cluster does not exist
"""

from collections.abc import Sequence


class ClusterError(Exception):
    """Ends the command with a message for a person."""

    exit_code = 1


class PrerequisiteError(ClusterError):
    """Lists everything that this machine lacks, and what to do about each."""

    exit_code = 2

    def __init__(self, missing: Sequence[str]) -> None:
        self.missing = tuple(missing)
        super().__init__("\n".join(f"- {item}" for item in self.missing))


class BusyError(ClusterError):
    """Another command holds a lock."""

    exit_code = 3


class NotUpError(ClusterError):
    """The cluster does not exist."""

    exit_code = 4


class CommandError(ClusterError):
    """A program failed; holds the end of its output."""

    def __init__(self, argv: Sequence[str], code: int, output: str) -> None:
        self.code = code
        self.output = output
        tail = "\n".join(output.strip().splitlines()[-30:])
        super().__init__(f"`{' '.join(argv)[:300]}` failed with exit code {code}:\n{tail}")
