"""`python -m tfpretune`: the command `tfpretune`."""

import sys

from tfpretune.cli import main

sys.exit(main())
