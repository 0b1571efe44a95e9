import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from reme_cluster.errors import ClusterError
from reme_cluster.files import write_json
from reme_cluster.host import processes
from reme_cluster.host.processes import Component, Record


def own_record(**changes: object) -> Record:
    ticks = processes.start_ticks(os.getpid())
    assert ticks
    fields = {
        "pid": os.getpid(),
        "start_ticks": ticks,
        "boot_id": processes.boot_id(),
        "digest": "d",
    }
    return Record(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_process_is_identified_by_id_start_and_boot() -> None:
    record = own_record()

    assert record.alive
    assert not own_record(start_ticks=record.start_ticks + 1).alive
    assert not own_record(boot_id="another").alive


def test_a_zombie_has_ended() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    assert processes.start_ticks(child.pid) is None
    child.wait()


def test_another_process_with_the_same_id_is_not_ended(tmp_path: Path) -> None:
    other = subprocess.Popen(["sleep", "60"])
    try:
        record = tmp_path / "record.json"
        ticks = processes.start_ticks(other.pid)
        assert ticks
        stale = Record(other.pid, ticks - 1, processes.boot_id(), "d")
        write_json(record, stale.__dict__)

        processes.stop_all([record])

        assert other.poll() is None
        assert not record.exists()
    finally:
        other.kill()
        other.wait()


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace_time(tmp_path: Path) -> None:
    script = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(9)"
    )
    process = subprocess.Popen(["python3", "-c", script], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    record = tmp_path / "record.json"
    ticks = processes.start_ticks(process.pid)
    assert ticks
    write_json(record, Record(process.pid, ticks, processes.boot_id(), "d").__dict__)

    processes.stop_all([record], grace_seconds=0.1)

    process.stdout.close()
    assert processes.start_ticks(process.pid) is None
    assert process.wait() in (0, -signal.SIGKILL)  # 0: it was collected already


def test_the_digest_changes_with_arguments_and_files(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("one")

    def component(*argv: str) -> Component:
        return Component(
            name="c",
            node="n",
            argv=argv,
            cgroup="g",
            record=tmp_path / "r",
            log=tmp_path / "l",
            reads=(config,),
        )

    before = component("a", "b").digest
    assert component("a", "b").digest == before
    assert component("ab").digest != before
    config.write_text("two")
    assert component("a", "b").digest != before


def test_the_error_of_an_ended_component_shows_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "c.log"
    log.write_text("began\nout of luck\n")
    dead = Component("c", "n", ("c",), "g", tmp_path / "no-record", log)

    with pytest.raises(ClusterError, match="out of luck"):
        processes.require_alive(dead)


def test_waiting_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)

    with pytest.raises(ClusterError, match="the nodes: not ready"):
        processes.wait_until(lambda: False, "the nodes", seconds=0.01)
