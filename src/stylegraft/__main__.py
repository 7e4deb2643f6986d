"""`python -m stylegraft` and `torchrun -m stylegraft`: the same as the command `stylegraft`."""

import sys

from stylegraft.cli.main import main

sys.exit(main())
