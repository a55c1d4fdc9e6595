"""The one error that a person at a terminal is meant to read."""


class LocalStackError(Exception):
    """Something that the person who typed the command can act on; its text is shown without a traceback."""
