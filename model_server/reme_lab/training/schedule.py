"""How far a run is, and the learning rate that goes with that."""

from reme_lab.training.recipe import Steps


def progress(plan: Steps, step: int, seconds: float) -> float:
    """Return how much of the budget is used up, from 0 to 1; the scarcer budget counts.

    `seconds` are those of work: a run that was interrupted goes on where it was.
    """
    used = [0.0]
    if plan.steps is not None:
        used.append(step / plan.steps)
    if plan.minutes is not None:
        used.append(seconds / (60 * plan.minutes))
    return min(1.0, max(used))


def rate(plan: Steps, step: int, done: float) -> float:
    """Return the learning rate of a step: a linear climb, then a linear fall."""
    climb = min(1.0, (step + 1) / (plan.warmup_steps + 1))
    fall = 1 - (1 - plan.final_rate) * done
    return plan.learning_rate * climb * fall
