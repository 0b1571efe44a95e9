"""Locks the dependencies with hashes: `python images/lock.py --help`."""

import sys

from reme_images.lock_command import main

if __name__ == "__main__":
    sys.exit(main())
