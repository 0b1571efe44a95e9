"""Killed processes leave coroutines behind: they are collected after each test."""

import gc
import warnings
from collections.abc import Iterator

import pytest

ignores_unraisable = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
"""Marks of a test that kills: what is killed is not closed in good order."""


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()
