"""A small server of the report on this machine alone, and what keeps the report current."""

import io
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from engine.so_far import FOLDER
from ssl_collapse.runtime.errors import UserError

HERE = "127.0.0.1"
SERVED = ("figures", "tables", FOLDER)  # folders of results that the page links to


def serve(page: Path, port: int, every: float) -> ThreadingHTTPServer:
    """A server of the page and what it links to; browsers load it anew `every` seconds.

    port: 0 for any that is free. UserError for one that is taken.
    """
    handler = partial(Handler, page=page.resolve(), every=every)
    try:
        return ThreadingHTTPServer((HERE, port), handler)
    except OSError as error:
        raise UserError(f"--port {port}: {error.strerror}; take another one") from None


class Handler(SimpleHTTPRequestHandler):
    """Answers GET and HEAD of the page and of files beside it, to browsers on this machine."""

    def __init__(self, *arguments: object, page: Path, every: float) -> None:
        self._page, self._every = page, every
        super().__init__(*arguments, directory=str(page.parent))  # type: ignore[arg-type]

    def send_head(self) -> io.BytesIO | BinaryIO | None:
        """Refuse what is not served; else as it lies there."""
        name = unquote(urlsplit(self.path).path).lstrip("/") or self._page.name
        status = self._status(name)
        if status != HTTPStatus.OK:
            self.send_error(status)
            return None
        self.path = f"/{name}"
        return super().send_head()

    def _status(self, name: str) -> HTTPStatus:
        host = self.headers.get("Host", "").rpartition(":")[0]
        if host not in (HERE, "localhost"):  # another site's name for this machine
            return HTTPStatus.FORBIDDEN
        served = name == self._page.name or self._is_served(name)
        there = served and (self._page.parent / name).is_file()
        return HTTPStatus.OK if there else HTTPStatus.NOT_FOUND

    def _is_served(self, name: str) -> bool:
        """Whether a file lies in one of the folders, wherever links lead."""
        root = self._page.parent
        file = (root / name).resolve()
        return any(file.is_relative_to(root / folder) for folder in SERVED)

    def end_headers(self) -> None:
        """Nothing is kept; pages, also those of errors, are loaded anew."""
        self.send_header("Cache-Control", "no-store")
        if self.path.endswith((".html", "/")):
            self.send_header("Refresh", f"{self._every:g}")
        super().end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Requests are no news."""


@contextmanager
def keep_current(command: Sequence[str], results: Path, every: float) -> Iterator[None]:
    """Run `command`, and again whenever results have changed, at most every `every` seconds."""
    ended = threading.Event()

    def keep() -> None:
        before = None
        while not ended.is_set():
            now = measured(results)
            if now != before:
                answer = subprocess.run(command, capture_output=True, text=True)
                print((answer.stdout + answer.stderr).strip(), flush=True)
            before = now
            ended.wait(every)

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()


def measured(results: Path) -> set[tuple[str, int]]:
    """The numbers that are there, with their dates."""
    dated = set()
    for pattern in ("runs/**/*.json", "runs/**/*.csv", "tables/*.csv", "figures/*.csv"):
        for path in results.glob(pattern):
            try:
                dated.add((str(path), path.stat().st_mtime_ns))
            except OSError:  # it is being replaced
                continue
    return dated
