"""Names and states of files, as the file system tells them."""

import errno
import os
import stat
import time
from pathlib import Path

# Size, mtime and ctime in ns, inode: while none of them differs, a file holds what it held.
State = tuple[int, int, int, int]
NEVER: State = (0, 0, 0, 0)  # of no file: what is known with it is looked at again
SETTLED = 2_000_000_000  # ns after which a further change shows in every file system's dates


def state_of(status: os.stat_result) -> State:
    """The state of a file."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def steady_state(before: os.stat_result, after: os.stat_result) -> State:
    """State of a file that was read between two looks at it.

    `NEVER` where that does not say what was read: it changed meanwhile, or so recently (or, by its
    date, in the future) that one more change could leave the same dates.
    """
    state = state_of(before)
    recent = time.time_ns() - max(state[1], state[2]) < SETTLED
    return NEVER if recent or state != state_of(after) else state


def refuse_irregular(path: Path) -> None:
    """Raise OSError for a pipe, a device or a folder: opening one may wait for ever."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))


def is_utf8(name: str) -> bool:
    """Whether a name from the file system is text."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def printable(name: str) -> str:
    """`name` as text that can be written anywhere: bytes that are not UTF-8 become \\xNN."""
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def one_line(text: str) -> str:
    """The same text, with what would break the line or move the cursor written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
