"""What the scripted model says to whom."""

from typing import Any

from reme_benchmark.workload.scripted_model import Script


def asked(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "system", "content": "cart"}, {"role": "user", "content": text}]}


def test_answers_are_given_in_turn_and_the_last_one_for_ever() -> None:
    script = Script([{"content": "a"}, {"content": "b"}])
    assert [script.next(asked("x"))["content"] for _ in range(3)] == ["a", "b", "b"]
    script.replace([{"content": "c"}])
    assert script.next(asked("x")) == {"content": "c"}
    assert len(script.requests) == 1


def test_an_answer_to_a_text_is_given_whenever_it_is_asked() -> None:
    script = Script([{"content": "a"}, {"when": "cart in shop", "content": "to cart"}])
    assert script.next(asked("target: cart in shop"))["content"] == "to cart"
    assert script.next(asked("target: stock in shop"))["content"] == "a"
    assert script.next(asked("target: cart in shop"))["content"] == "to cart"


def test_what_is_asked_and_not_scripted_is_abstained_from() -> None:
    script = Script([{"content": "a"}])
    script.next(asked("x"))
    script.replace([{"when": "cart in shop", "content": "to cart"}])
    assert "abstain" in script.next(asked("target: stock"))["content"]
    assert "abstain" in script.next({})["content"]
