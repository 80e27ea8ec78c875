"""`python -m extracted.account`"""

import sys

from extracted.account.main import main

sys.exit(main())
