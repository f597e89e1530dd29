"""`python -m dome_mcp` is `dome-mcp`."""

import sys

from dome_mcp.cli import main

if __name__ == "__main__":
    sys.exit(main())
