"""What is remembered of a source file: by its content, never by its name or date."""

import hashlib
import json
from pathlib import Path

from ssl_collapse.provenance.source import Sources


def test_names_that_an_import_may_load(tmp_path: Path):
    path = tmp_path / "a.py"
    path.write_text("import x.y\nfrom . import b\nfrom ..c import d\n")
    found = Sources(tmp_path / "memory").look(path, "pkg.sub").imports
    assert found == ("x", "x.y", "pkg", "pkg.sub", "pkg.sub.b", "pkg.c", "pkg.c.d")


def test_a_remembered_file_is_not_parsed_again(tmp_path: Path):
    path, memory = tmp_path / "a.py", tmp_path / "memory.json"
    path.write_text("x = 1\n")
    sources = Sources(memory)
    first = sources.look(path, "")
    sources.save()
    content = json.loads(memory.read_text())
    (key,) = content
    memory.write_text(json.dumps({key: ["remembered", "z"]}))  # shows who answers
    assert Sources(memory).look(path, "").digest == "remembered"
    path.write_text("x = 2\n")
    assert Sources(memory).look(path, "").digest not in (first.digest, "remembered")
    path.write_text("x = 1\n")
    assert Sources(tmp_path / "none").look(path, "") == first


def test_a_damaged_memory_is_passed_over(tmp_path: Path):
    path, memory = tmp_path / "a.py", tmp_path / "memory.json"
    path.write_text("x = 1\n")
    for damaged in ("", "{", "[1]", '{"a": 3}', '{"a": []}'):
        memory.write_text(damaged)
        assert Sources(memory).look(path, "") == Sources(tmp_path / "none").look(path, "")


def test_nothing_is_written_where_snakemake_has_no_folder(tmp_path: Path):
    path = tmp_path / "a.py"
    path.write_text("x = 1\n")
    sources = Sources(tmp_path / "none/memory.json")
    sources.look(path, "")
    sources.save()
    assert not (tmp_path / "none").exists()


def test_the_digest_is_the_same_in_every_python(tmp_path: Path):
    # Versions differ in the fields that are absent (a default, type parameters): they are left out.
    path = tmp_path / "a.py"
    path.write_text("def f(x=None):\n    return [x]\n")
    text = (
        "FunctionDef(name='f', args=arguments(args=[arg(arg='x')], defaults=[Constant()]), "
        "body=[Return(value=List(elts=[Name(id='x', ctx=Load())], ctx=Load()))])"
    )
    digest = Sources(tmp_path / "none").look(path, "").digest
    assert digest == hashlib.sha256(text.encode()).hexdigest()
