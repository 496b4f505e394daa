"""`python -m edasim` does what the command `edasim` does."""

from edasim.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
