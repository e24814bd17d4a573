"""Files that Snakemake answers with a traceback, without a line, or not at all."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ssl_collapse.config.reading.file import check_file
from ssl_collapse.runtime.errors import UserError

ROOT = Path(__file__).parents[3]
# Each anchor stands for ten of the one before: 10^12 values in 13 lines.
LAUGHS = "a0: &a0 [x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 13)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}\n" for i in range(1, 13)
)

CASES = {
    "utf-16": ("runs: {}".encode("utf-16"), "line 1 is not UTF-8; save the file as UTF-8"),
    "utf-16 without a mark": (
        "runs: {}".encode("utf-16-le"),
        "line 1 holds the character '\\x00'; is it a text file?",
    ),
    "utf-32": ("\ufeffruns".encode("utf-32-be"), "line 1 is not UTF-8; save the file as UTF-8"),
    "latin-1": ("a: 1\nb: ä".encode("latin-1"), "line 2 is not UTF-8; save the file as UTF-8"),
    "a tab": (b"runs:\n\ta: {}", "line 2: a tab; YAML is indented with spaces"),
    "NUL": (b"a: 1\nb: 2\nc: \0", "line 3 holds the character '\\x00'; is it a text file?"),
    "a control character": (
        b"a: 1\nb: \x07",
        "line 2 holds the character '\\x07'; is it a text file?",
    ),
    "two documents": (b"a: 1\n---\nb: 2", "line 2: a second document starts here; keep one"),
    "a tag": (b"a: 1\nb: !!python/object:os.system x", "line 2: the tag"),
    "a tag of one's own": (b"a: !mine {}", "line 1: the tag '!mine' is not allowed; leave it out"),
    "empty": (b"", "is empty; it must hold the keys of a config"),
    "comments only": (b"# later\n", "is empty; it must hold the keys of a config"),
    "a list": (b"- a\n- b", "must hold keys at its top, `key: value`"),
    "a list in JSON": (b"[1]", "must hold keys at its top, `key: value`"),
    "a word": (b"runs", "must hold keys at its top, `key: value`"),
    "deep": (b"a: " + b"[" * 100_000, "line 1: is nested more than 50 levels deep"),
    "deep in JSON": (b'{"a":' * 100_000, "line 1: is nested more than 50 levels deep"),
    "deep in lines": (b"- " * 100_000, "line 1: is nested more than 50 levels deep"),
    "anchors that multiply": (LAUGHS.encode(), "line 6: holds more than 200000 values"),
    "merges that multiply": (MERGES.encode(), "holds more than 200000 values"),
    "an anchor that holds itself": (b"a: &x\n  b: *x", "line 2: the anchor 'x' holds itself"),
    "an anchor that there is not": (b"a: 1\nb: *x", "line 2: found undefined alias"),
    "no such date": (b"a: 1\nb: 2020-13-45", "line 2: 2020-13-45 is no value (month must be in"),
    "a number of 5000 digits": (b"a: 1\nb: " + b"1" * 5000, "line 2: 111"),
    "a list as a key": (b"a: 1\n? [b]\n: 2", "line 2: found unhashable key"),
    "an open bracket": (b"a: [1, 2\nb: 3", "line 2: did not find expected ',' or ']'"),
    "an open quote": (b'a: 1\nb: "x', "line 2: found unexpected end of stream"),
    "a value of no key": (b"a: 1\nb", "line 2: could not find expected ':'"),
    "large": (b"#" * 1_000_001, "is larger than 1000000 bytes; a config is a short text"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_file_that_cannot_be_read_gets_one_message_in_a_second(case: str, tmp_path: Path):
    content, expected = CASES[case]
    file = tmp_path / "config.yaml"
    file.write_bytes(content)
    start = time.process_time()
    with pytest.raises(UserError) as error:
        check_file(file)
    assert time.process_time() - start < 1
    name, _, message = str(error.value).partition(": ")
    assert name == str(file)
    assert expected in message and "\n" not in message and len(message) < 250


def test_what_is_no_file(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")  # reading it would wait without end
    for path, expected in (
        (tmp_path / "none", "cannot be read: No such file or directory"),
        (tmp_path, "is not a regular file"),
        (tmp_path / "pipe", "is not a regular file"),
        (tmp_path / ("n" * 300), "cannot be read: File name too long"),
        (Path("a\0b"), "cannot be read: embedded null byte"),
    ):
        with pytest.raises(UserError) as error:
            check_file(path)
        assert str(error.value) == f"{path}: {expected}"


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfa: 1",  # UTF-8 with a byte order mark
        b'{"a":\t{"b": [1, 2]}}',  # JSON may be indented with tabs
        b"--- # one document\na: !!str 1\n...\n",
        b"a: &x {b: 1}\nc: {<<: *x}\nd: [*x, *x]",
        "a: ä€𝄞".encode(),
    ],
)
def test_what_snakemake_reads_passes(content: bytes, tmp_path: Path):
    (tmp_path / "config.yaml").write_bytes(content)
    check_file(tmp_path / "config.yaml")


def test_the_command_ends_with_code_2_after_one_line(tmp_path: Path):
    command = [sys.executable, "-m", "ssl_collapse.config.reading.file"]
    shipped = [ROOT / "config.yaml", *(ROOT / "configs").glob("*.yaml")]
    good = subprocess.run([*command, *shipped], capture_output=True, text=True)
    assert (good.returncode, good.stdout, good.stderr) == (0, "", "")
    (tmp_path / "config.yaml").write_bytes(b"")
    bad = subprocess.run(
        [*command, shipped[0], tmp_path / "config.yaml"], capture_output=True, text=True
    )
    assert bad.returncode == 2
    assert bad.stderr == (
        f"error: {tmp_path}/config.yaml: is empty; it must hold the keys of a config\n"
    )
