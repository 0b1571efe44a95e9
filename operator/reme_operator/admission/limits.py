"""What the installer allows in the whole cluster, from the settings."""

from datetime import timedelta

from reme_operator.admission.budgets import OperatorLimits
from reme_operator.admission.storm import StormLimits
from reme_operator.settings import OperatorSettings


def limits(settings: OperatorSettings) -> OperatorLimits:
    """Return the budgets that hold whatever the policies say."""
    return OperatorLimits(settings.max_concurrent, settings.max_per_hour)


def storm_limits(settings: OperatorSettings) -> StormLimits:
    """Return when many reports are a storm, and how many are acted on then."""
    return StormLimits(
        settings.storm_threshold,
        timedelta(seconds=settings.storm_window_seconds),
        settings.storm_max_concurrent,
    )
