"""The errors of holdfast.  Each also inherits the built-in one that Python users already catch."""


class HoldfastError(Exception):
    """Base of all our errors: one sentence that names the thing and, where known, the remedy."""


class BadValue(HoldfastError, ValueError):
    """An argument has a value that is not accepted."""


class BadShape(BadValue):
    """Arrays or layers whose shapes do not fit each other."""


class BadData(BadValue):
    """Data that cannot be trained on: unreadable files, a single class, NaN, labels out of range."""


class BadFile(HoldfastError, OSError):
    """A file or folder that is missing, unreadable, unwritable or not of the format it claims."""


class UnknownName(HoldfastError, LookupError):
    """A name that no registry knows; the message suggests the nearest ones."""


class MissingExtra(HoldfastError, ImportError):
    """An optional package that is not installed; the message says what to run."""


class GateMissed(HoldfastError, RuntimeError):
    """An exported model does not answer as the model does, so it was not handed over."""


class Lost(HoldfastError, RuntimeError):
    """Another of the processes that train together has ended; empty where one of the others says so."""


class NotReady(HoldfastError, RuntimeError):
    """Something was asked of an object before it could answer, e.g. `predict` before a shape is known."""
