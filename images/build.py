"""Builds the container images and loads them into a cluster: `python images/build.py --help`."""

import sys

from reme_images.cli import main

if __name__ == "__main__":
    sys.exit(main())
