"""Run the command line with `python -m sparkle_bench`."""

from sparkle_bench.cli import main

if __name__ == "__main__":
    main()
