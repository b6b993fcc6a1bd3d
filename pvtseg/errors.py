"""The error that a user can correct."""


class UserError(ValueError):
    """A mistake that the user can correct. The message is one line: what was seen, what
    was expected, what to do.

    The command line prints it without a traceback; from Python it is a ValueError.
    """
