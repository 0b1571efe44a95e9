import subprocess
import sys

SCRIPT = """
import sys
sys.modules["kubernetes"] = None  # as in the operator's image
import reme_kube.cluster, reme_operator.probes.prober, reme_kube.leader_election
import reme_operator.telemetry.health, reme_operator.telemetry.logs, reme_operator.settings
with open("/proc/self/status") as status:
    print(next(line for line in status if line.startswith("VmRSS")).split()[1])
"""


def test_the_clients_are_light_and_need_no_kubernetes_package() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 90 * 1024, "KiB; 61 MiB when this was written"
