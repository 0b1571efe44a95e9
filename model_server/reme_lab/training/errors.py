"""Errors of a training run before its first step.

TrainingError
├── NoIncidentsError     the data file is missing, empty or invalid
├── NoBaseError          there is no base model
├── BadRecipeError       the recipe is invalid
├── NothingToResumeError there is no checkpoint
├── OtherRunError        the checkpoint has another recipe, other data or another base
└── RunExistsError       the folder contains a run, and it is not to be resumed
"""


class TrainingError(Exception):
    """Base class of the errors of this package; the message says what to do."""


class NoIncidentsError(TrainingError):
    """There are no incidents to train on."""


class NoBaseError(TrainingError):
    """There is no base model to train."""


class BadRecipeError(TrainingError):
    """The recipe cannot be read, or is invalid."""


class NothingToResumeError(TrainingError):
    """The folder has no checkpoint."""


class OtherRunError(TrainingError):
    """The checkpoint belongs to other data, another base or another recipe."""


class RunExistsError(TrainingError):
    """The folder already contains a run."""
