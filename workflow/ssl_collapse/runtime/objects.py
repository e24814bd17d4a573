"""Named objects where jobs share no file system: in a folder that is mounted, or an S3 bucket.

Snakemake's storage plugins carry the outputs that rules declare. What lies beside them, sidecars
and the states of unfinished trainings, is carried by this, to the same place.
"""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import atomic_path
from ssl_collapse.runtime.folders import state_of


class Objects(ABC):
    """Objects by name, "a/b.csv". Each is there whole or not at all."""

    @abstractmethod
    def stamps(self, folder: str = "") -> dict[str, str]:
        """All names under `folder`, but hidden ones, with a text that changes with the object;
        UserError where a bucket cannot be listed.
        """

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The bytes of an object; OSError where there is none."""

    @abstractmethod
    def get(self, name: str, path: Path) -> None:
        """Write an object to a file; OSError where there is none."""

    @abstractmethod
    def put(self, path: Path, name: str) -> None:
        """Make an object of a file, in the place of one that is there."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove an object, if it is there."""


def objects_at(url: str) -> Objects:
    """The objects under "s3://BUCKET/PREFIX", or in a folder."""
    return BucketObjects(url) if url.startswith("s3://") else FolderObjects(Path(url))


class FolderObjects(Objects):
    """Files in a folder; their stamps are size, dates and inode."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def stamps(self, folder: str = "") -> dict[str, str]:
        stamps = {}
        for path in (self.root / folder).rglob("[!.]*"):
            with suppress(FileNotFoundError):
                state = state_of(path.stat())
                if path.is_file():
                    stamps[path.relative_to(self.root).as_posix()] = " ".join(map(str, state))
        return stamps

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def get(self, name: str, path: Path) -> None:
        _copy(self.root / name, path)

    def put(self, path: Path, name: str) -> None:
        _copy(path, self.root / name)

    def remove(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as file, atomic_path(target) as temporary, temporary.open("wb") as copy:
        while block := file.read(1 << 20):
            copy.write(block)


class BucketObjects(Objects):
    """Objects of S3; their stamps are size and ETag. Where and with which key, AWS_* say."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._url, self._bucket, self._prefix = url, parts.netloc, parts.path.strip("/") + "/"
        boto3: Any = importlib.import_module("boto3")  # comes with Snakemake's plugin
        self._errors: Any = importlib.import_module("botocore.exceptions")
        self._client = boto3.client("s3")

    def stamps(self, folder: str = "") -> dict[str, str]:
        prefix = self._prefix + (f"{folder}/" if folder else "")
        pages = self._client.get_paginator("list_objects_v2")
        stamps = {}
        try:
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
                for entry in page.get("Contents", ()):
                    name = entry["Key"].removeprefix(self._prefix)
                    if not name.rpartition("/")[2].startswith("."):
                        stamps[name] = f"{entry['Size']} {entry['ETag']}"
        except self._client.exceptions.NoSuchBucket:  # Snakemake makes it
            return {}
        except (self._errors.ClientError, self._errors.BotoCoreError) as error:
            raise UserError(f"{self._url}: cannot be listed: {error}") from error
        return stamps

    def read(self, name: str) -> bytes:
        with self._os_errors():
            answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)
            return bytes(answer["Body"].read())

    def get(self, name: str, path: Path) -> None:
        with self._os_errors(), atomic_path(path) as temporary:
            self._client.download_file(self._bucket, self._prefix + name, str(temporary))

    def put(self, path: Path, name: str) -> None:
        self._client.upload_file(str(path), self._bucket, self._prefix + name)

    def remove(self, name: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=self._prefix + name)

    @contextmanager
    def _os_errors(self) -> Iterator[None]:
        try:
            yield
        except self._errors.ClientError as error:
            raise FileNotFoundError(f"{self._url}: {error}") from error
