"""Which reply the scripted model returns to which request."""

from typing import Any

from reme_benchmark.workload.scripted_model import Script


def request(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "system", "content": "cart"}, {"role": "user", "content": text}]}


def test_answers_are_given_in_turn_and_the_last_one_for_ever() -> None:
    script = Script([{"content": "a"}, {"content": "b"}])
    assert [script.next(request("x"))["content"] for _ in range(3)] == ["a", "b", "b"]
    script.replace([{"content": "c"}])
    assert script.next(request("x")) == {"content": "c"}
    assert len(script.requests) == 1


def test_an_answer_to_a_text_is_given_to_every_request_with_it() -> None:
    script = Script([{"content": "a"}, {"when": "cart in shop", "content": "to cart"}])
    assert script.next(request("target: cart in shop"))["content"] == "to cart"
    assert script.next(request("target: stock in shop"))["content"] == "a"
    assert script.next(request("target: cart in shop"))["content"] == "to cart"


def test_a_request_without_a_scripted_answer_gets_an_abstention() -> None:
    script = Script([{"content": "a"}])
    script.next(request("x"))
    script.replace([{"when": "cart in shop", "content": "to cart"}])
    assert "abstain" in script.next(request("target: stock"))["content"]
    assert "abstain" in script.next({})["content"]
