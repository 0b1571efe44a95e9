"""`python -m reme_benchmark.workload`: run the service."""

import sys

from reme_benchmark.workload.service import main

if __name__ == "__main__":
    main(sys.argv[1:])
