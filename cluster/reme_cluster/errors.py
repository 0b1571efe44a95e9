"""The errors that end a command, each with the exit code it stands for.

ClusterError                 1   something went wrong; the message says what
├── PrerequisiteError        2   this machine lacks something; nothing was changed
├── BusyError                3   another command works on the same cluster now
├── CommandError             1   a program that was called failed
└── NotUpError               4   the cluster is not there
"""

from collections.abc import Sequence


class ClusterError(Exception):
    """Ends the command with a message for a person."""

    exit_code = 1


class PrerequisiteError(ClusterError):
    """Lists everything that this machine lacks, with what to do about each."""

    exit_code = 2

    def __init__(self, missing: Sequence[str]) -> None:
        self.missing = tuple(missing)
        super().__init__("\n".join(f"- {item}" for item in self.missing))


class BusyError(ClusterError):
    """Says that another command holds the cluster's lock."""

    exit_code = 3


class NotUpError(ClusterError):
    """Says that the cluster is not there."""

    exit_code = 4


class CommandError(ClusterError):
    """Carries the end of a failed program's output."""

    def __init__(self, argv: Sequence[str], code: int, output: str) -> None:
        self.code = code
        self.output = output
        tail = "\n".join(output.strip().splitlines()[-15:])
        super().__init__(f"`{' '.join(argv)[:300]}` failed with exit code {code}:\n{tail}")
