"""What holds for every test."""

from hypothesis import settings

# A deadline measures the machine, which others use too; what is slow shows in the durations.
settings.register_profile("reme", deadline=None, print_blob=True)
settings.load_profile("reme")
