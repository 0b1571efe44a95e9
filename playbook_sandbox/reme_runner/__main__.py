"""`python -m reme_runner`: one run, from the claim to its result."""

import sys

from reme_runner.main import main

if __name__ == "__main__":
    sys.exit(main())
