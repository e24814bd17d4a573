"""What Snakemake says before any job starts."""

import subprocess
from pathlib import Path

import yaml
from snakemake_runs import SMOKE, command


def test_a_wrong_config_is_one_message_and_exit_code_2(tmp_path: Path):
    config = yaml.safe_load(SMOKE.read_text())
    config["runs"]["iid"] = {"base_lr": "1e-3", "epoch": 3}
    config["runs"]["current"]["share"] = 200
    config["runs"]["$(touch PWNED)"] = {}
    config["datasets"]["textures"]["source"]["kind"] = "texture"
    config["runtime"] = {"device": "gpu"}
    # the first line: a key that stands twice, which only the file itself shows
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("title: once\n" + yaml.safe_dump(config, sort_keys=False))
    python, *words = command(tmp_path, "-n", config=wrong)
    words = [python, "-X", "importtime", *words]
    answer = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    lines = [line for line in answer.stderr.splitlines() if not line.startswith("import time:")]
    where = lines.index("error: the config has 7 problems:")
    assert lines[where + 1 :] == [
        "  title: stands twice (lines 1 and 2), and YAML takes the last; keep one",
        "  datasets.textures.source.kind: 'texture' is not allowed; it must be one of textures, "
        "imagefolder, imagenet, places365, cifar10, cifar100, stl10, imagenette, hdf5, webdataset, "
        "huggingface; did you mean `textures`?",
        "  runs.iid.base_lr: '1e-3' is text to YAML; write 0.001 (nested in "
        "`--config`, all is text)",
        "  runs.iid.epoch: unknown key (its value is 3); did you mean `epochs`?",
        "  runs.current.share: 200 is not allowed; it must be at most 100",
        "  runs.'$(touch PWNED)': '$(touch PWNED)' is not allowed; use letters, digits, `_`, `-` "
        "and `.`, a letter or digit first",
        "  runtime.device: 'gpu' is not allowed; it must be one of auto, cpu, cuda",
    ]
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["wrong.yaml"]
    imported = {line.split("|")[-1].strip() for line in answer.stderr.splitlines() if "|" in line}
    # Snakemake itself imports pandas and Pillow; planning must not add what takes seconds.
    assert "ssl_collapse.config.reading.load" in imported
    heavy = {"torch", "torchvision", "h5py", "faiss", "matplotlib", "scipy.stats", "scipy.linalg"}
    assert not imported & heavy
