"""Digests of large files are remembered while the file provably stays what it was."""

import hashlib
import os
from pathlib import Path

import pytest

from ssl_collapse.runtime import digests
from ssl_collapse.runtime.digests import digest_of, remember_digests

OLD = 10**18  # ns: long ago


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_is_read_again_where_it_may_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(digests, "_news", {})
    monkeypatch.setattr("ssl_collapse.runtime.folders.SETTLED", -(10**12))
    digests._remembered.cache_clear()
    file = Path("a.npy")
    file.write_bytes(b"one")
    assert digest_of(file) == sha(b"one")
    remember_digests()
    assert not Path(".snakemake").exists()  # a folder of Snakemake's is not ours to make
    Path(".snakemake").mkdir()
    remember_digests()
    digests._remembered.cache_clear()
    reads: list[Path] = []
    monkeypatch.setattr(digests, "file_sha256", lambda path: reads.append(path) or sha(b"read"))
    assert digest_of(file) == sha(b"one") and reads == []
    os.utime(file, ns=(OLD, OLD))  # another date: it may be another file
    assert digest_of(file) == sha(b"read") and len(reads) == 1
    digests.MEMORY.write_text("[damaged")
    digests._remembered.cache_clear()
    assert digest_of(file) == sha(b"read")
    digests._remembered.cache_clear()


def test_what_changed_just_now_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(digests, "_news", {})
    (tmp_path / "a").write_bytes(b"one")
    assert digest_of(tmp_path / "a") == sha(b"one") and digests._news == {}
    with pytest.raises(OSError, match="not a regular file"):
        digest_of(tmp_path)
