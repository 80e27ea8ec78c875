"""`python -m extracted.shop`"""

import sys

from extracted.shop.main import main

sys.exit(main())
