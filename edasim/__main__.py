"""`python -m edasim` does what the command `edasim` does."""

import sys


def main() -> int:
    """Start the command line; Ctrl-C while it is being loaded ends in a word, too."""
    try:
        from edasim.cli import main as command_line

        return command_line()
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
