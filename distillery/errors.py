"""What a user can mend. Everything else that goes wrong is a defect and keeps its traceback."""


class UserError(Exception):
    """One clear line: what is wrong, where, and the mend. The command line exits with 2."""


class DamagedArtifactError(Exception):
    """An artifact's content no longer matches its digest; it must be made again."""


class RuntimeUnavailableError(RuntimeError):
    """An engine cannot run here: one line with what is missing, and the mend."""


class BenchmarkProcessError(RuntimeError):
    """A measuring process died or answered nonsense; its last words are in the message."""


class NoMeasurementError(RuntimeError):
    """A rented machine gave no numbers: one line with why."""
