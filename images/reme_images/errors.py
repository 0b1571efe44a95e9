"""The errors that end a command, and the exit code of each.

ImagesError                 1
├── PrerequisiteError       3   this machine lacks something; the message says what to do
└── StaleLockError          1   a lock does not fit its source

A program that fails is a `reme_cluster.errors.CommandError` (1).
"""


class ImagesError(Exception):
    """Ends the command with a message for a person."""

    exit_code = 1


class PrerequisiteError(ImagesError):
    """This machine lacks something; the message says what to do about it."""

    exit_code = 3


class StaleLockError(ImagesError):
    """At least one lock does not fit its source; the message names every one."""
