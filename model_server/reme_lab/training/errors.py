"""What can go wrong with a training run before the first step.

TrainingError
├── NoTracesError        the traces are not there, are empty, or are none
├── NoBaseError          there is no base model to start from
├── BadRecipeError       the recipe is no recipe
├── NothingToResumeError there is no checkpoint
├── OtherRunError        the checkpoint is of another run: recipe, data or base differ
└── AlreadyBegunError    the folder holds a run that nobody said to resume
"""


class TrainingError(Exception):
    """Root of everything that training raises on purpose; the message says what to do."""


class NoIncidentsError(TrainingError):
    """There are no traces to learn from."""


class NoBaseError(TrainingError):
    """There is no base model to start from."""


class BadRecipeError(TrainingError):
    """The recipe cannot be read, or asks for what makes no sense."""


class NothingToResumeError(TrainingError):
    """There is no checkpoint in the folder."""


class OtherRunError(TrainingError):
    """The checkpoint belongs to other data, another base or another recipe."""


class RunExistsError(TrainingError):
    """The folder holds a run already."""
