"""The workload follows its settings, fails when its dependencies fail, and logs why."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reme_benchmark.workload.disk_writer import Scratch
from reme_benchmark.workload.plain_http import Reply, Server, get, place
from reme_benchmark.workload.service import Log, Service, onward
from reme_benchmark.workload.settings import SettingsError, WorkloadSettings

Start = Callable[[Callable[[str], Reply]], str]


@pytest.fixture
def start() -> Iterator[Start]:
    servers: list[Server] = []

    def begin(answer: Callable[[str], Reply]) -> str:
        server = Server(0, answer)
        servers.append(server)
        threading.Thread(target=server.serve, daemon=True).start()
        return f"http://127.0.0.1:{server.port}"

    yield begin
    for server in servers:
        server.stop()


def service(**variables: str) -> Service:
    small = {"MEMORY_MEBIBYTES": "0", "CPU_MILLISECONDS": "0", "NAME": "cart"}
    return Service(WorkloadSettings.from_environment({**small, **variables}), Log())


def body(reply: Reply) -> dict[str, object]:
    decoded: dict[str, object] = json.loads(reply.body)
    return decoded


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def test_a_request_passes_through_to_what_it_calls(start: Start) -> None:
    paths: list[str] = []

    def stock(path: str) -> Reply:
        paths.append(path)
        return Reply(200, b"{}")

    url = start(stock)
    cart = service(CALLS=f"{url}/,{url}/*,{url}/own")
    assert cart.answer("/visit?user=1").status == 200
    assert paths == ["/", "/visit", "/own"]


@pytest.mark.parametrize("path", ["/healthz", "/ready"])
def test_probes_ask_nobody(path: str) -> None:
    assert service(CALLS=f"http://127.0.0.1:{closed_port()}/").answer(path).status == 200


def test_a_dependency_that_is_gone_fails_the_request_and_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = f"http://127.0.0.1:{closed_port()}/"
    reply = service(CALLS=url).answer("/")
    assert reply.status == 502
    assert f"ERROR dependency failed: {url}: " in capsys.readouterr().out


def test_a_dependency_that_fails_fails_the_request_and_is_named(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    url = start(service(FAIL_PERCENT="100", NAME="stock").answer)
    reply = service(CALLS=f"{url}/").answer("/")
    assert reply.status == 502
    assert body(reply)["failed"] == [f"{url}/: HTTP 500"]
    out = capsys.readouterr().out
    assert "ERROR version 1: internal error on /" in out
    assert f"ERROR dependency failed: {url}/: HTTP 500" in out


def test_a_dependency_that_is_slow_is_given_up(start: Start) -> None:
    url = start(service(LATENCY_MILLISECONDS="600").answer)
    caller = service(CALLS=f"{url}/", CALL_TIMEOUT_MILLISECONDS="100")
    start_time = time.monotonic()
    assert caller.answer("/").status == 502
    assert time.monotonic() - start_time < 0.5


def test_every_call_looks_the_name_up_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts: list[str] = []

    def lookup(host: str, *_: object, **__: object) -> None:
        hosts.append(host)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr("reme_benchmark.workload.plain_http.socket.getaddrinfo", lookup)
    cart = service(CALLS="http://stock:8080/")
    replies = [cart.answer("/"), cart.answer("/")]
    assert [reply.status for reply in replies] == [502, 502]
    assert "Temporary failure in name resolution" in replies[0].body.decode()
    assert hosts == ["stock", "stock"]


def test_retries_repeat_a_failed_call_and_only_that(start: Start) -> None:
    statuses = iter([500, 500, 200, 200])
    sent: list[int] = []

    def stock(_: str) -> Reply:
        sent.append(next(statuses))
        return Reply(sent[-1], b"{}")

    url = start(stock)
    cart = service(CALLS=f"{url}/", RETRIES="2", RETRY_MILLISECONDS="1")
    assert cart.answer("/").status == 200
    assert cart.answer("/").status == 200
    assert sent == [500, 500, 200, 200]


def test_the_longest_route_decides_what_is_called_besides() -> None:
    settings = WorkloadSettings.from_environment(
        {"CALLS": "http://a/", "ROUTES": "/x=http://b/;/x/y=http://c/,http://d/;"}
    )
    assert settings.calls_for("/") == ("http://a/",)
    assert settings.calls_for("/x/z") == ("http://a/", "http://b/")
    assert settings.calls_for("/x/y") == ("http://a/", "http://c/", "http://d/")


def test_latency_cpu_and_leak_are_per_request() -> None:
    slow = service(LATENCY_MILLISECONDS="50")
    start_time = time.monotonic()
    slow.answer("/")
    assert time.monotonic() - start_time >= 0.05
    busy, used = service(CPU_MILLISECONDS="30"), time.thread_time()
    busy.answer("/")
    assert time.thread_time() - used >= 0.03
    leaky = service(LEAK_KIBIBYTES="64")
    for _ in range(3):
        leaky.answer("/")
    assert [len(part) for part in leaky._held] == [0, 65536, 65536, 65536]


def test_maintenance_refuses_work_and_is_not_ready_but_lives() -> None:
    closed = service(MODE="maintenance")
    assert [closed.answer(path).status for path in ("/", "/ready", "/healthz")] == [503, 503, 200]


def test_each_request_writes_and_what_is_written_is_bounded(tmp_path: Path) -> None:
    writer = service(SCRATCH=str(tmp_path), DISK_KIBIBYTES="5")
    assert {writer.answer("/").status for _ in range(40)} == {200}
    files = list(tmp_path.iterdir())
    assert len(files) == 16
    # Whole pages: five KiB are two of them.
    assert {file.stat().st_size for file in files} == {8192}


def test_a_write_that_fails_fails_the_request_and_is_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    reply = service(SCRATCH=str(gone), DISK_KIBIBYTES="4").answer("/")
    assert reply.status == 500
    assert f"ERROR cannot write to {gone}: no directory {gone}" in capsys.readouterr().out


def test_filling_writes_the_requested_size(tmp_path: Path) -> None:
    Scratch(str(tmp_path), 0).fill(2)
    assert (tmp_path / "fill").stat().st_size == 2 * 1024 * 1024


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"REQUIRED": "CURRENCIES"}, "CURRENCIES is required and not set"),
        ({"REQUIRED": "A, B", "A": "1", "B": ""}, "B is required and not set"),
        ({"CPU_MILLISECONDS": "many"}, "CPU_MILLISECONDS must be a number, not 'many'"),
        ({"PORT": "-1"}, "PORT must be between 0 and 1e9"),
        ({"MODE": "turbo"}, "MODE must be one of normal, maintenance, not 'turbo'"),
        ({"CALLS": "redis-cart:6379"}, "CALLS: 'redis-cart:6379' is no http URL"),
        ({"ROUTES": "http://a/"}, "ROUTES must be like"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(variables: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=f"^{message}"):
        WorkloadSettings.from_environment(variables)


def test_every_documented_variable_is_read() -> None:
    given = {
        "NAME": "a", "VERSION": "2", "MODE": "normal", "PORT": "1", "CALLS": "http://b/",
        "ROUTES": "/c=http://d/", "CALL_TIMEOUT_MILLISECONDS": "2", "RETRIES": "3",
        "RETRY_MILLISECONDS": "4", "CPU_MILLISECONDS": "5", "LATENCY_MILLISECONDS": "6",
        "FAIL_PERCENT": "7", "MEMORY_MEBIBYTES": "8", "LEAK_KIBIBYTES": "9",
        "DISK_KIBIBYTES": "10", "SCRATCH": "/e", "FILL_MEBIBYTES": "11", "STARTUP_SECONDS": "12",
        "POST_FAIL_PERCENT": "13",
    }  # fmt: skip
    settings = WorkloadSettings.from_environment(given)
    assert set(given) == {field.upper() for field in WorkloadSettings._fields}
    assert settings == WorkloadSettings(
        "a", "2", "normal", 1, ("http://b/",), (("/c", ("http://d/",)),),
        2.0, 3, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10, "/e", 11, 12.0, 13.0,
    )  # fmt: skip


def test_a_failing_service_does_not_fill_the_disk_with_its_log(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("reme_benchmark.workload.service.time.time", lambda: now[0])
    log = Log()
    for number in range(50):
        log(f"ERROR {number}")
    now[0] += 1
    log("ERROR later")
    assert capsys.readouterr().out.splitlines() == [
        *(f"ERROR {number}" for number in range(5)),
        "WARN 45 lines were left out",
        "ERROR later",
    ]


def test_one_connection_carries_several_requests(start: Start) -> None:
    where = place(start(lambda path: Reply(200, path.encode())))
    with socket.create_connection((where.host, where.port), timeout=1) as connection:
        # Both at once, as a client that does not wait may send them.
        connection.sendall(b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\nConnection: close\r\n\r\n")
        received = b""
        while part := connection.recv(4096):
            received += part
    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert received.endswith(b"/b")


def test_a_post_fails_where_only_posts_are_set_to_fail(capsys: pytest.CaptureFixture[str]) -> None:
    cart = service(POST_FAIL_PERCENT="100")
    assert cart.answer("/checkout").status == 200
    assert cart.answer_post("/checkout?id=1").status == 500
    assert "internal error on POST /checkout\n" in capsys.readouterr().out
    assert service().answer_post("/checkout").status == 200


def test_the_body_of_a_post_is_read_before_the_next_request() -> None:
    paths: list[str] = []

    def post(path: str) -> Reply:
        paths.append(path)
        return Reply(200, b"posted")

    server = Server(0, lambda path: Reply(200, path.encode()), answer_post=post)
    threading.Thread(target=server.serve, daemon=True).start()
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=1) as connection:
            connection.sendall(b"POST /pay HTTP/1.1\r\nContent-Length: 9\r\n\r\nGET /")
            connection.sendall(b"half" + b"GET /b HTTP/1.1\r\nConnection: close\r\n\r\n")
            received = b""
            while part := connection.recv(4096):
                received += part
        assert paths == ["/pay"]
        assert b"posted" in received
        assert received.endswith(b"/b")
        with socket.create_connection(("127.0.0.1", server.port), timeout=1) as connection:
            connection.sendall(b"POST /pay HTTP/1.1\r\nContent-Length: 999999\r\n\r\n")
            assert connection.recv(10) == b""
    finally:
        server.stop()


def test_what_is_no_request_is_not_answered(start: Start) -> None:
    where = place(start(lambda _: Reply(200, b"")))
    with socket.create_connection((where.host, where.port), timeout=1) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\n\r\n")
        assert connection.recv(10) == b""


def test_a_server_that_says_nothing_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(TimeoutError):
            get(url, 0.1)


@pytest.mark.parametrize("url", ["https://a/", "a:80", "http://", "http://a:b/"])
def test_only_plain_http_urls_are_requested(url: str) -> None:
    with pytest.raises(ValueError, match="is no http URL"):
        get(url, 0.1)


def test_a_path_is_passed_on_only_where_the_url_ends_in_a_star() -> None:
    assert onward("http://a:1/*", "/x/y") == "http://a:1/x/y"
    assert onward("http://a:1/", "/x/y") == "http://a:1/"
