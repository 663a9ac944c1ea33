"""The ``fext`` command."""

import sys


def main() -> int:
    """Run the command line with the arguments of this process, and return the exit code."""
    from fext_tui.cli.entry import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
