"""`python -m tfpretune`: the command `tfpretune`."""

import sys

from tfpretune.cli.main import main

sys.exit(main())
