"""Run the command line as ``python -m cephstd``."""

from cephstd.cli.app import main

if __name__ == "__main__":
    main()
