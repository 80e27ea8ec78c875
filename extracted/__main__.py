"""`python -m extracted` is `polycode`."""

import sys

from extracted.cli.app import main

sys.exit(main())
