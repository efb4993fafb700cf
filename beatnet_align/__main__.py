"""``python -m beatnet_align`` is the command line."""

import sys

from beatnet_align.cli import main

if __name__ == "__main__":
    sys.exit(main())
