"""Attempts on the machine beneath the run's pod: code that must not get through."""

from typing import NamedTuple

HOST = "the machine beneath"
NETWORK = "the network"


class HostAttack(NamedTuple):
    """Python that runs in the pod; it returns on success, and raises where it is stopped."""

    name: str
    code: str
    smoke: bool = False


HOST_ATTACKS = (
    HostAttack("write into the image", "open('/opt/reme/x', 'w')", smoke=True),
    HostAttack("write to /etc/passwd", "open('/etc/passwd', 'a')"),
    HostAttack("become root", "import os; os.setuid(0)", smoke=True),
    HostAttack(
        "mount a file system",
        "import ctypes, os\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "if libc.mount(b'none', b'/tmp', b'tmpfs', 0, None):\n"
        "    raise PermissionError(ctypes.get_errno(), 'mount')",
    ),
    HostAttack(
        "a namespace of users of its own",
        "import ctypes\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "if libc.unshare(0x10000000 | 0x20000):\n"
        "    raise PermissionError(ctypes.get_errno(), 'unshare')",
    ),
    HostAttack("a raw socket", "import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)"),
    HostAttack("the kernel's log", "open('/dev/kmsg').read(1)"),
    HostAttack(
        "a device of the node",
        "import os, stat; os.mknod('/tmp/disk', 0o600 | stat.S_IFBLK, os.makedev(8, 0))",
    ),
    HostAttack("change its own playbook", "open('/run/reme/input/playbook.json', 'w')", smoke=True),
)

NETWORK_ATTACKS = (
    HostAttack(
        "the kubelet of the node, with the run's token",
        "import os, ssl, urllib.request\n"
        "token = open('/var/run/secrets/kubernetes.io/serviceaccount/token').read()\n"
        "asked = urllib.request.Request('https://{address}:10250/pods',\n"
        "    headers={'Authorization': 'Bearer ' + token})\n"
        "trusted = ssl._create_unverified_context()\n"
        "urllib.request.urlopen(asked, context=trusted, timeout=5)",
    ),
    HostAttack(
        "the metadata of a cloud",
        "import urllib.request; urllib.request.urlopen('http://169.254.169.254/', timeout=3)",
    ),
)
"""{address} is the node's. Whether or not NetworkPolicy is enforced, these must fail."""

CONNECTIONS = {
    "a connection to another Service": ("{dns}", 53),
    "a connection to the node": ("{address}", 10250),
}
"""What only NetworkPolicy could hold back: host and port, where something answers."""


def connection(host: str, port: int) -> str:
    """Return code that connects, and raises where it may not."""
    return f"import socket; socket.create_connection(({host!r}, {port}), 3)"
