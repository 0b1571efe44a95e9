"""What the results part can fail with.

ResultsError
├── DifferentRunError   the directory holds another run, so this one cannot be resumed in it
└── UnknownVersionError the files are of a version that this code does not read
"""


class ResultsError(Exception):
    """A result directory that cannot be read or written; the message says what to do."""


class DifferentRunError(ResultsError):
    """The directory holds another run."""


class UnknownVersionError(ResultsError):
    """The files were written by another version."""
