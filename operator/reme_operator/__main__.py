"""`python -m reme_operator`: the operator's process."""

import sys

from reme_operator.app.main import main

sys.exit(main())
