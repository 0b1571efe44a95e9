"""`python -m reme_cluster`: a Kubernetes cluster with one command."""

import sys

from reme_cluster.cli import main

if __name__ == "__main__":
    sys.exit(main())
