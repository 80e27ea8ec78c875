"""`python -m extracted.learning`"""

import sys

from chassis.imports import collector_off

with collector_off():
    from extracted.learning.main import main

sys.exit(main())
