"""What a program that repairs may print, and what is made of it."""

from reme_benchmark.methods.command import parse_output
from reme_benchmark.scoring.records import MethodReport


def test_the_last_line_may_be_a_record() -> None:
    record = MethodReport(outcome="Verified", acted=True, attempts=2, message="rolled back")
    out = f"thinking\n{record.model_dump_json()}\n".encode()
    assert parse_output(0, out, b"") == record


def test_a_record_does_not_hide_an_exit_code() -> None:
    record = MethodReport(outcome="Verified", acted=True)
    assert parse_output(3, record.model_dump_json().encode(), b"").error == "exit code 3"


def test_any_other_output_is_its_message() -> None:
    found = parse_output(0, b"rolled catalog back\n", b"")
    assert (found.outcome, found.acted, found.error) == ("Done", True, "")
    assert found.message == "rolled catalog back"


def test_a_failure_says_why() -> None:
    found = parse_output(1, b"", b"no such file\n")
    assert found.outcome == "Failed"
    assert found.error == "exit code 1: no such file"


def test_garbage_is_no_error_of_the_harness() -> None:
    assert parse_output(0, b"\xff\xfe{not json", b"").outcome == "Done"
    assert parse_output(0, b"", b"").outcome == "Done"
    assert parse_output(0, b'{"outcome": 7}', b"").outcome == "Done"
