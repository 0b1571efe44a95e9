"""`python -m reme_benchmark`: run the benchmark, and read what it found."""

import sys

from reme_benchmark.cli.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
