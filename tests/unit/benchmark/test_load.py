"""What users felt is counted by the second in which they asked."""

from reme_benchmark.load import Seconds


def test_requests_are_counted_in_their_second() -> None:
    seconds = Seconds()
    seconds.add(10.2, 5.0, ok=True)
    seconds.add(10.9, 9.0, ok=True)
    seconds.add(10.9, 2000.0, ok=False)
    seconds.add(11.0, 2000.0, ok=False)
    assert seconds.rows() == [
        {"time": 10, "ok": 2, "failed": 1, "p50_milliseconds": 9.0, "max_milliseconds": 9.0},
        {"time": 11, "ok": 0, "failed": 1, "p50_milliseconds": None, "max_milliseconds": None},
    ]
