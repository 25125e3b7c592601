"""`python -m oauth_rs` is the command line of `oauth_rs.cli`; does nothing else."""

import sys

from oauth_rs.cli import main

if __name__ == "__main__":
    sys.exit(main())
