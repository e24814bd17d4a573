"""Results in storages of Snakemake's, on nodes that share none of their disks.

The plugins, a real S3 server and an executor that submits shell scripts are installed into an
environment that is thrown away.
"""

import json
import os
import re
import shutil
import site
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from equal_results import contents, differences
from snakemake_runs import ROOT, SMOKE, command, succeed, write_config

PLUGINS = ROOT / "envs/storage.txt"
SERVER = ["moto==5.2.5", "flask==3.1.3", "flask-cors==6.0.5"]
EXECUTORS = ["snakemake-executor-plugin-cluster-generic==1.0.9"]
EXECUTORS += ["snakemake-executor-plugin-kubernetes==0.5.1"]
RUN = "runs/long/seed0"
# A node: a job script with a disk of its own, beside who submits it.
NODE = """\
NODE=$(mktemp -d "$NODES/XXXXXX") setsid sh "$1" >> "$NODES/log" 2>&1 < /dev/null &
echo $!
"""
OURS = {"AWS_ACCESS_KEY_ID": "anyone", "AWS_SECRET_ACCESS_KEY": "anything"}
THEIRS = {"SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "anyone"}
THEIRS |= {"SNAKEMAKE_STORAGE_S3_SECRET_KEY": "anything"}
GROUPS = ["textures=data", "dataset=data", "pack=data", "ordering=data"]
GROUPS += ["export_checkpoint=epoch", "represent=epoch", "collapse=epoch"]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python that has all that this one has, and the plugins."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python3*/site-packages")
    (packages / "parent.pth").write_text("\n".join(site.getsitepackages()))
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python"), "install", "-q"]
    done = subprocess.run(
        [*pip, "-r", str(PLUGINS), *SERVER, *EXECUTORS], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"the storage plugins cannot be installed: {done.stderr[-300:]}")
    return str(folder / "bin/python")


@pytest.fixture(scope="module")
def server(python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where an S3 server listens, on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path_factory.mktemp("server") / "log").open("wb")
    words = [python, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def wait_until(ready, seconds: float = 600) -> None:
    """Look twice a second."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.5)


class Bucket:
    """What lies in an S3 bucket, through the client of the throw-away environment."""

    SCRIPT = """\
import json, sys
from pathlib import Path
from ssl_collapse.runtime.objects import objects_at
bucket = objects_at("s3://lab/mine/results")
for action, *arguments in json.loads(sys.argv[1]):
    if action == "get all":
        for name in (name for name in bucket.stamps() if "/images/" not in name):
            bucket.get(name, Path(arguments[0], name))
    elif action == "edit":
        Path("edited").write_bytes(bucket.read(arguments[0]) + b" ")
        bucket.put(Path("edited"), arguments[0])
    elif action == "remove":
        bucket.remove(arguments[0])
    else:
        sys.exit(not any(name.endswith("/place") for name in bucket.stamps()))
"""

    def __init__(self, python: str, folder: Path, endpoint: str) -> None:
        self._words, self._folder = [python, "-c", self.SCRIPT], folder
        server = {"PYTHONPATH": str(ROOT / "workflow"), "AWS_ENDPOINT_URL_S3": endpoint}
        self._environment = {**os.environ, **server, **OURS}

    def do(self, *actions: list[str]) -> bool:
        """Whether all went well."""
        words = [*self._words, json.dumps(actions)]
        return not subprocess.run(words, cwd=self._folder, env=self._environment).returncode


def configured(folder: Path) -> Path:
    """The smoke config with one run that trains for a while."""
    folder.mkdir(exist_ok=True)
    config = yaml.safe_load(SMOKE.read_text())
    config["runs"] = {"long": {"seeds": [0], "epochs": 2, "share": 100, "steps_per_epoch": 200}}
    config["figures"] = {}
    config["runtime"] = {"device": "cpu", "save_minutes": 0.001}
    return write_config(folder, config)


@pytest.mark.thorough
def test_on_nodes_without_a_shared_file_system(tmp_path: Path, python: str, server: str):
    """A node is lost in the middle of a training; another one goes on, from the storage alone."""
    here, folder = tmp_path / "here", tmp_path / "storage"
    target = f"results/{RUN}/epoch0002/collapse.json"
    config, _ = configured(folder), succeed(here, "--cores", "1", target, config=configured(here))
    (folder / "node.sh").write_text(NODE)
    (folder / "nodes").mkdir()
    options = ["--default-storage-provider", "s3", "--default-storage-prefix", "s3://lab/mine"]
    options += ["--storage-s3-endpoint-url", server, "--jobs", "2", "--retries", "1"]
    options += ["--executor", "cluster-generic", "--cluster-generic-submit-cmd", "sh node.sh"]
    options += ["--shared-fs-usage", "persistence", "sources", "source-cache"]
    options += ["software-deployment", "--remote-job-local-storage-prefix", "$NODE"]
    words = [python, *command(folder, *options, "--groups", *GROUPS, config=config)[1:]]
    words += ["--", target]
    environment = {**os.environ, **THEIRS, "NODES": str(folder / "nodes")}
    bucket = Bucket(python, folder, server)

    with (folder / "out").open("w") as out:
        running = subprocess.Popen(words, cwd=folder, env=environment, stdout=out, stderr=out)
    try:
        saved = (folder / "nodes").glob  # on the node's own disk, which is cheaper to ask
        wait_until(lambda: any(saved("*/**/place")) or running.poll() is not None)
        wait_until(lambda: bucket.do(["saved?"]) or running.poll() is not None)
        kill_trainer(folder)
        assert running.wait(timeout=900) == 0, (folder / "out").read_text()[-5000:]
    finally:
        running.kill()
    assert bucket.do(["get all", "fetched"])
    log = (folder / "fetched/logs/long/seed0/pretrain.log").read_text()
    assert "fetched the state that was saved elsewhere" in log and "resumed at epoch" in log
    assert differences(results(folder / "fetched"), results(here / "results")) == []

    dry = [*words[:-2], "--dry-run", *words[-2:]]

    def plan() -> str:
        done = subprocess.run(dry, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    assert "Nothing to be done" in plan()
    assert bucket.do(["remove", f"{RUN}/epoch0002/spectrum.csv.provenance.json"])
    assert "spectrum.csv.provenance.json beside it" in plan()
    assert bucket.do(["edit", "data/textures/ordering-seed0.npy"])
    assert "ordering-seed0.npy was changed after it was made" in plan()


def results(folder: Path) -> dict[str, bytes]:
    """What a storage and a folder of results have in common, but for hundreds of images."""
    found = contents(folder)
    return {n: b for n, b in found.items() if not re.match(r"state/|.*\.stored-|.*/images/", n)}


def kill_trainer(folder: Path) -> None:
    """End the process of the training as a node does that is lost: at once."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode().split("\0")
            ours = (process / "cwd").readlink() == folder
        except OSError:
            continue
        if ours and any(word.endswith("scripts/pretrain.py") for word in words):
            os.kill(int(process.name), 9)


@pytest.mark.thorough
def test_the_profile_of_kubernetes_plans(tmp_path: Path, python: str, server: str):
    """As far as can be told without a cluster."""
    profile = ROOT / "profiles/kubernetes"
    options = ["--profile", str(profile), "--storage-s3-endpoint-url", server, "--dry-run"]
    words = [python, *command(tmp_path, *options, config=configured(tmp_path))[1:]]
    done = subprocess.run(words, env={**os.environ, **THEIRS}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    printed = done.stdout + done.stderr
    assert "s3://bucket/ssl-collapse/results/runs/long/seed0/training.csv (send to" in printed
    # without it the executor refuses jobs with a `gpu`, also those that ask for none
    asked = [line for line in printed.splitlines() if " gpu=" in line]
    assert len(asked) >= 4 and all("gpu_manufacturer=nvidia" in line for line in asked)


@pytest.mark.thorough
def test_in_a_folder_as_a_storage(tmp_path: Path, python: str):
    if shutil.which("rsync") is None:
        pytest.skip("the storage plugin `fs` needs rsync")
    config = configured(tmp_path / "run")
    options = ["--default-storage-provider", "fs", "--default-storage-prefix", str(tmp_path)]
    target = "results/data/textures/ordering-seed0.npy"
    options += ["--cores", "1", target]
    words = [python, *command(tmp_path / "run", *options, config=config)[1:]]

    def run(*more: str) -> str:
        done = subprocess.run([*words, *more], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    run()
    assert (tmp_path / target).exists() and not (tmp_path / "run/results").exists()
    assert "Nothing to be done" in run("--dry-run")
    with (tmp_path / "results/data/textures/dataset.json").open("a") as file:
        file.write(" ")
    assert "dataset.json was changed after it was made" in run("--dry-run")
    run()
    assert "Nothing to be done" in run("--dry-run")
