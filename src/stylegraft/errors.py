"""The exception tree of stylegraft.

    StylegraftError                what a user can cause or mend; the command line prints it as one line
    ├── InputError                 the request itself is wrong (path, flag, value)          -> exit 2
    │   ├── ConfigError            a config object is out of range or has unknown keys      -> exit 2
    │   ├── DataError              an image set cannot be read or does not fit              -> exit 2
    │   └── CheckpointError        a checkpoint is damaged, foreign, hostile or of another schema -> exit 2
    │       └── UnsafeFileError    a file asked for something only executed code could do   -> exit 2
    └── RunError                   the request was right, the run failed                    -> exit 1
        └── DivergenceError        training produced NaN or blew up                         -> exit 1

Every message has the form "what failed, where (file, flag, tensor): expected X, got Y. How to fix."
on one line. Anything that is not a `StylegraftError` is a defect of ours.
"""


class StylegraftError(Exception):
    """Base of all errors that a user can cause or mend."""

    exit_code: int = 1


class InputError(StylegraftError):
    """The request is wrong: a path, a flag or a value."""

    exit_code = 2


class ConfigError(InputError):
    """A config object has values out of range or unknown keys; the message lists all of them."""


class DataError(InputError):
    """An image set cannot be read, or does not fit what was asked of it."""


class CheckpointError(InputError):
    """A checkpoint is damaged, incomplete, of another schema or of no format known here."""


class UnsafeFileError(CheckpointError):
    """A checkpoint asks for something that only executing code from it could do; it was refused."""


class RunError(StylegraftError):
    """The request was right but the run could not go on (disk full, lost process...)."""


class DivergenceError(RunError):
    """Training produced NaN or infinite values; the message names the last good checkpoint."""
