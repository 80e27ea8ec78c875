"""`python -m extracted.runner`"""

import sys

from chassis.imports import collector_off

with collector_off():
    from extracted.runner.main import main

sys.exit(main())
