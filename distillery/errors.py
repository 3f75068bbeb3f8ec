"""What a user can mend. Everything else that goes wrong is a defect and keeps its traceback."""


class UserError(Exception):
    """One clear line: what is wrong, where, and the mend. The command line exits with 2."""


class DamagedArtifactError(Exception):
    """An artifact's content no longer matches its digest; it must be made again."""


class BenchmarkProcessError(RuntimeError):
    """A measuring process died or answered nonsense; its last words are in the message."""
