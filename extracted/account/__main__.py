"""`python -m extracted.account`"""

import sys

from chassis.imports import collector_off

with collector_off():
    from extracted.account.main import main

sys.exit(main())
