"""`python -m extracted.mailer`"""

import sys

from extracted.mailer.main import main

sys.exit(main())
