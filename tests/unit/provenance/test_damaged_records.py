"""Records beside the results, damaged: what lies beside them is looked at anew, never trusted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ssl_collapse.figures.inputs import read_spectra, read_summary
from ssl_collapse.provenance.adopt import Expected, assess
from ssl_collapse.provenance.sidecar import Request, path_of, write_sidecars
from ssl_collapse.provenance.verify import damaged_results
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.tables.summary import read_losses


def damages(content: bytes) -> Iterator[bytes]:
    """Cut, emptied, of another kind; a pickle that would create the file `ran`."""
    yield from (b"", content[: len(content) // 2], content[:-3], b"\x89PNG\r\n\x1a\n\0\xff" * 20)
    yield from (b"[1, 2]", b"null", b'{"other": 1}', b"[" * 100_000)
    yield b"cposix\nsystem\n(S'touch ran'\ntR."


def test_a_result_with_a_damaged_sidecar_is_stale_and_named(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("stage.py").write_text("x = 1\n")
    result = Path("results/runs/a")
    result.parent.mkdir(parents=True)
    result.write_text("a")
    request = Request(rule="a", spec="{}", code="c", plugins=[], inputs=[], outputs=[str(result)])
    write_sidecars(request, Path("stage.py"), tmp_path)
    for content in damages(path_of(result).read_bytes()):
        path_of(result).write_bytes(content)
        stale = assess(str(result), Expected("any", 1)).stale
        assert stale == "a.provenance.json beside it is damaged or of another version"
        assert list(damaged_results(Path("results"))) == [(str(result), stale)]
    assert not Path("ran").exists()


TABLES = {
    "training.csv": ("epoch,loss\n1,0.5\n", read_losses),
    "summary.csv": (
        "run,seed,epoch,final,schedule,share,start_run,steps\na,0,1,True,iid,100,,5\n",
        read_summary,
    ),
    "runs/a/seed0/epoch0001/spectrum.csv": (
        "index,singular_value,normalized,cumulative\n1,2.0,1.0,1.0\n",
        lambda path: read_spectra([path], [("a", 0, 1)]),
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_another_kind_are_named(tmp_path: Path, name: str):
    good, read = TABLES[name]
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(good)
    read(file)
    for content in (
        b"",
        b"\x89PNG\r\n\x1a\n\0\xff" * 20,
        b"a text\n" * 9,
        b"\0" * 99,
        good[:7].encode(),
    ):
        file.write_bytes(content)
        with pytest.raises(UserError, match=rf"{name}: .*again"):
            read(file)
    file.unlink()
    file.mkdir()
    with pytest.raises(UserError, match=rf"{name}: .*again"):
        read(file)
