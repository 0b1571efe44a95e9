"""The SLI of users is counted by the second of the request."""

import json
import threading
import time

from reme_benchmark.workload.load_generator import Seconds, User
from reme_benchmark.workload.plain_http import Reply, Server


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


def test_a_window_adds_up_its_seconds_by_path() -> None:
    seconds = Seconds()
    for moment, path, ok in [(10.1, "/", True), (11.1, "/a", False), (11.2, "/", True)]:
        seconds.add(moment, 7.0, ok=ok, path=path)
    seconds.add(12.0, 0, ok=False, path="/a", skipped=True)
    seconds.add(13.0, 1.0, ok=True, path="/")
    assert seconds.between(10, 13) == {
        "begin": 10,
        "end": 13,
        "ok": 2,
        "failed": 2,
        "skipped": 1,
        "p50_milliseconds": 7.0,
        "p95_milliseconds": 7.0,
        "by_path": {"/": {"ok": 2, "failed": 0}, "/a": {"ok": 0, "failed": 2}},
    }
    assert seconds.between(20, 30)["p50_milliseconds"] is None


def test_only_the_last_ten_minutes_are_kept() -> None:
    seconds = Seconds()
    for second in range(1000):
        for _ in range(300):
            seconds.add(second, 1.0, ok=True)
    rows = seconds.rows()
    assert (len(rows), rows[0]["time"], rows[-1]["ok"]) == (600, 400, 300)
    assert max(len(second.milliseconds) for second in seconds._seconds) == 200


def test_a_slow_front_door_does_not_slow_the_user_down() -> None:
    release = threading.Event()

    def slow(_: str) -> Reply:
        release.wait(5)
        return Reply(200, b"{}")

    server = Server(0, slow, at_once=200)
    threading.Thread(target=server.serve, daemon=True).start()
    user = User(f"http://127.0.0.1:{server.port}/", ("/a", "/b"), 5)
    start = time.monotonic()
    for number in range(100):
        user.begin(number)
    assert time.monotonic() - start < 1
    # What finds no place has failed at once: nobody was served.
    record = user.seconds.between(0, time.time() + 1)
    assert (record["failed"], record["skipped"]) == (36, 36)
    release.set()
    while user.seconds.between(0, time.time() + 1)["ok"] != 64:
        time.sleep(0.01)
    server.stop()


def test_answers_by_path() -> None:
    user = User("http://127.0.0.1:1/x", (), 0.2)
    user.begin(0)
    while not user.seconds.rows():
        time.sleep(0.01)
    assert json.loads(user.answer("/healthz").body) == {"paths": ["/x"]}
    assert json.loads(user.answer("/seconds").body)[0]["failed"] == 1
    # Too young to be settled.
    assert json.loads(user.answer("/window?seconds=5").body)["failed"] == 0
    since = json.loads(user.answer(f"/since?time={time.time() - 60:.0f}").body)
    assert since["seconds"] == []
    assert user.answer("/window").status == 400
    assert user.answer("/window?seconds=x").status == 400
    assert user.answer("/nothing").status == 404
