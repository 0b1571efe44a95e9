"""`python -m reme_operator`: the operator's process."""

import sys

from reme_operator.main import main

sys.exit(main())
