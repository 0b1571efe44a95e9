"""What can go wrong, and the exit code of each.

ImagesError                 1
├── PrerequisiteError       3   this machine lacks something; the message says what to do
├── CommandError            1   a program that was called failed
└── StaleLockError          1   a lock is not what its source says
"""


class ImagesError(Exception):
    """The work could not be done; the message is for people."""

    exit_code = 1


class PrerequisiteError(ImagesError):
    """This machine lacks something; the message says what to do about it."""

    exit_code = 3


class StaleLockError(ImagesError):
    """A lock is not what its source says; the message names every one."""


class CommandError(ImagesError):
    """A program that was called failed."""

    def __init__(self, command: list[str], output: str) -> None:
        self.output = output
        tail = "\n".join(output.strip().splitlines()[-30:])
        super().__init__(f"{' '.join(command[:3])} … failed:\n{tail}")
