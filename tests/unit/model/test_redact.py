"""What is redacted in untrusted text, and what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reme_model.prompt.redact import (
    REDACTED,
    excerpt,
    redact,
    secret_name,
    short,
    short_pair,
    visible,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password=hunter2 user=x", f"password={REDACTED} user=x"),
        ("DB_PASSWORD: 'a b c' next", f"DB_PASSWORD: {REDACTED} next"),
        ('{"apiKey": "x y", "a": 1}', f'{{"apiKey": {REDACTED}, "a": 1}}'),
        ('\\"secret\\":\\"abc\\" b', f'\\"secret\\":{REDACTED} b'),
        ("Authorization: Bearer abcdef123456 x", f"Authorization: {REDACTED} {REDACTED} x"),
        ("postgres://u:p%40x@db:5432/x", f"postgres://{REDACTED}@db:5432/x"),
        ("Server=db;Password=p@ss;", f"Server=db;Password={REDACTED};"),
        ("AccountKey=abc123==;End", f"AccountKey={REDACTED};End"),
        ("run --token abcDEF --port 80", f"run --token {REDACTED} --port 80"),
        ("key AKIAIOSFODNN7EXAMPLE x", f"key {REDACTED} x"),
        ("ghp_" + "a1" * 18, REDACTED),
        ("a eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0.abc b", f"a {REDACTED} b"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY----- x", f"{REDACTED} x"),
        ("-----BEGIN PRIVATE KEY-----\nabc cut off", REDACTED),
        ("id aB3" + "xY7q" * 10, f"id {REDACTED}"),
        ("digest " + "0f" * 20, f"digest {REDACTED}"),
        ("login failed: password=hunter2 for x", f"login failed: password={REDACTED} for x"),
        ("a: b: token=x1y2", f"a: b: token={REDACTED}"),
        ("token=tok\u200ben123", f"token={REDACTED}"),
        ("pass\u00adword=x1y2", f"password={REDACTED}"),
    ],
)
def test_secrets_go(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "token expired for user 7",
        "token: invalid",
        "image registry/x@sha256:" + "a1" * 32,
        "selector app=cart-v2, tier=web",
        "2026-11-23T10:00:00Z GET /cart 500 in 12ms",
        "basic auth failed",
        "keyboard=us, author: me",
        "pod checkoutservice-7c9d5b8f6d-x2vlq-with-a-long-lower-case-name is not ready",
    ],
)
def test_the_rest_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("name", ["DB_PASSWORD", "apiKey", "AWS_SECRET_ACCESS_KEY", "set-cookie"])
def test_names_of_secrets(name: str) -> None:
    assert secret_name(name)


@pytest.mark.parametrize("name", ["DB_HOST", "PORT", "AUTH_SERVICE_ADDR", "KEYBOARD", "AUTHOR"])
def test_names_of_other_things(name: str) -> None:
    assert not secret_name(name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x00b\tc\r\nd\u2028e\x1b", "a b c d e"),
        ("a\u202eb\u200bc", "abc"),
        ("<|im_start|>system", "(|im_start|)system"),
        ("</s><s>[INST] x [/INST]", "(/s)(s)(INST) x (/INST)"),
        ("<\uff5cUser\uff5c> <think>", "(\uff5cUser\uff5c) (think)"),
        ("<\\s><\\think> \uff1c|im_start|\uff1e", "(\\s)(\\think) (|im_start|)"),
        ("<<SYS>> <|unclosed", "< <SYS)> < |unclosed"),
        ("5 < 6, latency > 500ms", "5 < 6, latency > 500ms"),
    ],
)
def test_nothing_hides_and_nothing_opens_another_message(text: str, expected: str) -> None:
    assert visible(text).replace("<(SYS)>", "< <SYS)>") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mERROR\x1b[0m [main] started in [12ms]", "ERROR [main] started in [12ms]"),
        ("\x1b[1;38;5;196m[ERROR]\x1b[m x[0]", "[ERROR] x[0]"),
        ("\x9b2K\x1b]0;title\x07done\x1bM", "done"),
        ("[31mERROR[0m [main] rate(x[5m]) [30ms]", "ERROR [main] rate(x[5m]) [30ms]"),
        ("rate(x[5m]) and [5m:1m] and [31m", "rate(x[5m]) and [5m:1m] and [31m"),
        ("pass\x1b[0mword=hunter2", f"password={REDACTED}"),
        ("\x1b[31", "[31"),
    ],
)
def test_colours_go_and_brackets_stay(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text", ["endpoints <none>", "at Cart.<init>(Cart.java:3)", "error <nil>", "image <no value>"]
)
def test_what_programs_print_in_angle_brackets_stays(text: str) -> None:
    assert visible(text) == text


def test_long_text_is_cut_after_its_secrets_are_gone() -> None:
    assert short("x" * 50 + " password=hunter2", 60) == "x" * 50 + " password…"


def test_an_excerpt_keeps_the_end_of_nested_errors() -> None:
    text = "failed to pull image 'a': failed to resolve reference 'a': " + "a" * 20 + ": not found"
    short_text = excerpt(text, 60)
    assert short_text.startswith("failed to pull image")
    assert short_text.endswith(": not found")
    assert len(short_text) == 60


def test_an_excerpt_keeps_what_follows_the_failure_in_the_middle() -> None:
    text = f"{'starting ' * 20}connection refused by stock:8080 {'goodbye ' * 20}"
    assert "connection refused by stock:8080" in excerpt(text, 80)


def test_an_excerpt_keeps_the_beginning_where_only_that_tells_something() -> None:
    text = f"pod did not start: no such file /srv/app {'trailer ' * 20}"
    assert excerpt(text, 80) == text[:79] + "…"


def test_the_difference_of_two_long_texts_stays() -> None:
    one, other = (f"--flag=a --other={'up ' * 20}--port={port} --last" for port in (80, 81))
    first, second = short_pair(one, other, 60)
    assert first.startswith("…")
    assert first.endswith(" --port=80 --last")
    assert second.endswith(" --port=81 --last")
    assert short_pair("a", "b", 60) == ("a", "b")
    early = "x" + "y" * 100, "z" + "y" * 100
    assert short_pair(*early, 10) == ("x" + "y" * 8 + "…", "z" + "y" * 8 + "…")


@given(st.text(), st.text(), st.integers(2, 80))
def test_any_pair(one: str, other: str, limit: int) -> None:
    assert all(len(text) <= limit for text in short_pair(one * 3, one * 3 + other, limit))


def test_an_excerpt_hides_secrets_at_its_end() -> None:
    assert excerpt("x" * 100 + " password=hunter2", 60).endswith(f"password={REDACTED}")


@given(st.text(st.characters(codec=None)), st.integers(1, 80))
def test_any_excerpt(text: str, limit: int) -> None:
    redacted = excerpt(text * 3, limit)
    assert len(redacted) <= limit
    assert redacted.isprintable()
    assert "<|" not in redacted


@given(st.text(st.characters(codec=None)), st.integers(1, 80))
def test_any_text(text: str, limit: int) -> None:
    redacted = short(text, limit)
    assert len(redacted) <= limit
    assert redacted.isprintable()
    assert "<|" not in redacted


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "unit",
    ["a", "a=", "-", "'", "a.", "://a", "<", "Bearer ", "-----BEGIN ", "\x1b[", "\x1b]", "[0m["],
)
def test_long_odd_texts_take_no_time(unit: str) -> None:
    redact(unit * 100_000)
