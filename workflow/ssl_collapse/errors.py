"""The one exception whose text is meant for the person at the keyboard."""


class UserError(Exception):
    """Wrong input: the message names the file, key or row and the way out (exit code 2)."""
