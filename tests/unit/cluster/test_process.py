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
    facts = {
        "pid": os.getpid(),
        "start_ticks": ticks,
        "boot_id": processes.boot_id(),
        "digest": "d",
    }
    return Record(**{**facts, **changes})  # type: ignore[arg-type]


def test_a_process_is_known_by_number_start_and_boot() -> None:
    record = own_record()

    assert record.alive
    assert not own_record(start_ticks=record.start_ticks + 1).alive
    assert not own_record(boot_id="another").alive


def test_a_zombie_is_dead() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    assert processes.start_ticks(child.pid) is None
    child.wait()


def test_a_number_that_belongs_to_somebody_else_is_not_ended(tmp_path: Path) -> None:
    innocent = subprocess.Popen(["sleep", "60"])
    try:
        record = tmp_path / "record.json"
        ticks = processes.start_ticks(innocent.pid)
        assert ticks
        stale = Record(innocent.pid, ticks - 1, processes.boot_id(), "d")
        write_json(record, stale.__dict__)

        processes.stop_all([record])

        assert innocent.poll() is None
        assert not record.exists()
    finally:
        innocent.kill()
        innocent.wait()


def test_who_does_not_listen_is_ended_after_the_grace_time(tmp_path: Path) -> None:
    script = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(9)"
    )
    stubborn = subprocess.Popen(["python3", "-c", script], stdout=subprocess.PIPE)
    assert stubborn.stdout
    stubborn.stdout.readline()
    record = tmp_path / "record.json"
    ticks = processes.start_ticks(stubborn.pid)
    assert ticks
    write_json(record, Record(stubborn.pid, ticks, processes.boot_id(), "d").__dict__)

    processes.stop_all([record], grace_seconds=0.1)

    stubborn.stdout.close()
    assert processes.start_ticks(stubborn.pid) is None
    assert stubborn.wait() in (0, -signal.SIGKILL)  # 0: it was collected already


def test_a_component_changes_with_its_words_and_files(tmp_path: Path) -> None:
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


def test_a_dead_component_shows_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "c.log"
    log.write_text("began\nout of luck\n")
    dead = Component("c", "n", ("c",), "g", tmp_path / "no-record", log)

    with pytest.raises(ClusterError, match="out of luck"):
        processes.require_alive(dead)


def test_waiting_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)

    with pytest.raises(ClusterError, match="the moon: not ready"):
        processes.wait_until(lambda: False, "the moon", seconds=0.01)
