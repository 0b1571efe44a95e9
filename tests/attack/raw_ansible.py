"""Ansible in a run's pod without the compiler: every task is tried, whatever became of others.

Runs inside the sandbox's image instead of the runner, and prints one line of JSON for each task.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reme_runner.ansible_run import environment, play, prepare
from reme_runner.main import fork_server


def main() -> None:
    scratch = Path(tempfile.mkdtemp(dir="/tmp"))
    socket = scratch / "fork-server.sock"
    env = environment(scratch, socket)
    mapping = {"hosts": "localhost", "connection": "local", "gather_facts": False}
    tasks = [{**task, "ignore_errors": True} for task in json.loads(os.environ["TASKS"])]
    prepare([{**mapping, "tasks": tasks}], scratch)

    def tell(event: Mapping[str, Any]) -> None:
        kind, data = event.get("event", ""), event.get("event_data", {})
        if not kind.startswith("runner_on_") or kind == "runner_on_start":
            return
        result = data.get("res") or {}
        mapping = {k: result.get(k) for k in ("msg", "stderr", "status", "reason", "content")}
        status = 200 if kind == "runner_on_ok" else 403
        line = {"name": data.get("task"), "status": status, "message": json.dumps(mapping)[-700:]}
        print(json.dumps(line), flush=True)

    with fork_server(env, socket):
        play(scratch, env, tell, lambda: False)


main()
