"""`python -m reme_sandbox.runner`: one run, from the claim to its result."""

import sys

from reme_sandbox.runner.process import main

if __name__ == "__main__":
    sys.exit(main())
