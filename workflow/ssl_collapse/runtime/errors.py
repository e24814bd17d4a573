"""What goes wrong: the one exception that is meant for the person at the keyboard, exit codes."""

FAILED = 1  # an error of ours: a traceback
WRONG_INPUT = 2
INTERRUPTED = 75  # a job that saved its state and wants to be started again


class UserError(Exception):
    """Wrong input: the message names the file, key or row and the way out (exit code 2)."""
