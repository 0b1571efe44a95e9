"""`reme`: what people type; each part of reme answers for its own words."""

import sys

from reme_benchmark.cli.main import main as bench
from reme_operator.cli.policy_explain import main as policy

_USAGE = """usage: reme bench run | replay | summary | report | compare | incidents | list | clean
       reme policy explain REPORT
`reme bench --help` and `reme policy --help` say more."""


def main() -> int:
    """Hand the words on; exit with 2 and a hint when nobody knows them."""
    words = sys.argv[1:]
    if words[:1] == ["bench"]:
        return bench(words[1:])
    if words[:1] == ["policy"]:
        return policy(words[1:])
    print(_USAGE, file=sys.stdout if words[:1] in (["-h"], ["--help"]) else sys.stderr)
    return 0 if words[:1] in (["-h"], ["--help"]) else 2
