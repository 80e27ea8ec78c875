"""`python -m extracted.runner`"""

import sys

from extracted.runner.main import main

sys.exit(main())
