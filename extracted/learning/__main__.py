"""`python -m extracted.learning`"""

import sys

from extracted.learning.main import main

sys.exit(main())
