"""`python -m extracted.mailer`"""

import sys

from chassis.imports import collector_off

with collector_off():
    from extracted.mailer.main import main

sys.exit(main())
