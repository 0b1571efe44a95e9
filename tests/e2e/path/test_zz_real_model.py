"""The whole path with the real vLLM: last, because it changes what is installed."""

import pytest

from reme_api.reasons import Outcome
from tests.support.testbed import Testbed, helm, install

pytestmark = [pytest.mark.cluster, pytest.mark.model]


def test_the_real_model_answers_within_its_grammar(shop: Testbed) -> None:
    install("model.enabled=true", "model.endpoint=")
    shop.break_catalog()
    ended = shop.ended(shop.report("real-model"), seconds=400)
    # What a base model decides is not fixed here: that it was asked, answered and judged is.
    assert ended.status.outcome not in {None, Outcome.FAILED, Outcome.REJECTED}, (
        ended.status.message
    )
    generation = ended.status.attempts[0].generation
    assert generation is not None
    assert generation.completion_tokens > 0
    assert generation.constrained
    assert generation.model_digest


def test_the_release_tests_itself(shop: Testbed) -> None:
    helm("test", "reme", "--namespace", "reme-system", "--timeout", "5m")
