"""`python -m extracted.shop`"""

import sys

from chassis.imports import collector_off

with collector_off():
    from extracted.shop.main import main

sys.exit(main())
