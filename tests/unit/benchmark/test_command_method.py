"""How the output of a repair program becomes a report of the method."""

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
    report = parse_output(0, b"rolled catalog back\n", b"")
    assert (report.outcome, report.acted, report.error) == ("Done", True, "")
    assert report.message == "rolled catalog back"


def test_a_failure_says_why() -> None:
    report = parse_output(1, b"", b"no such file\n")
    assert report.outcome == "Failed"
    assert report.error == "exit code 1: no such file"


def test_garbage_is_no_error_of_the_harness() -> None:
    assert parse_output(0, b"\xff\xfe{not json", b"").outcome == "Done"
    assert parse_output(0, b"", b"").outcome == "Done"
    assert parse_output(0, b'{"outcome": 7}', b"").outcome == "Done"
