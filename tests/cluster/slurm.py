"""A throw-away SLURM of one node, on loopback, without systemd."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from debian import PATH, cannot_have

HERE = Path(__file__).parent
PACKAGES = ("munge", "slurmctld", "slurmd", "slurm-client")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
GPUS = ("/dev/null", "/dev/zero")  # any character device will do for one
CGROUPS = Path("/sys/fs/cgroup")
CONTROLLERS = ("freezer", "memory")  # of cgroup v1: what tracks a job's processes, and its memory
CGROUP_CONF = f"""\
CgroupPlugin=cgroup/v1
CgroupMountpoint={CGROUPS}
CgroupAutomount=no
ConstrainRAMSpace=yes
ConstrainCores=no
ConstrainDevices=no
"""


def cannot_run() -> str | None:
    """Why no SLURM can run here; installs the packages where root may. None if one can."""
    if os.geteuid() != 0:
        return "a SLURM for tests needs root, to start its daemons"
    return cannot_have(PROGRAMS, PACKAGES)


def has_cgroups() -> bool:
    """Whether SLURM can track jobs and limit their memory by cgroups here, as on real clusters."""
    return all(os.access(CGROUPS / name / "tasks", os.W_OK) for name in CONTROLLERS)


class Slurm:
    """munged, slurmctld and slurmd as children of this process, with all state in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.node = f"node{os.getpid()}"  # a name of its own: its cgroups are called after it
        self.cgroups = has_cgroups()
        self.environment = {
            **os.environ,
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{folder / 'bin'}:{PATH}",
        }
        self._daemons: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the daemons and wait until the node is idle."""
        self._write_files()
        munge = [f"--socket={self.folder}/munge.sock", f"--key-file={self.folder}/munge.key"]
        munge += [f"--{name}-file={self.folder}/munge.{name}" for name in ("pid", "log", "seed")]
        self._daemon("munged", "--foreground", *munge)
        self._wait(lambda: (self.folder / "munge.sock").exists(), "munged did not start")
        self._daemon("slurmctld", "-D", "-c")
        self._wait(lambda: "UP" in self.ask("scontrol", "ping"), "slurmctld did not start")
        self._daemon("slurmd", "-D", "-N", self.node)
        self._wait(lambda: self._state() == "idle", "the node is not idle")

    def restart_node(self) -> None:
        """Kill the daemon of the node, and start it again."""
        slurmd = self._daemons.pop()
        slurmd.kill()
        slurmd.wait()
        self._daemon("slurmd", "-D", "-N", self.node)
        self._wait(lambda: self._state() in ("idle", "mixed", "allocated"), "the node is not back")

    def stop(self) -> None:
        """Cancel all jobs, then stop the daemons, whatever state they are in."""
        if len(self._daemons) == 3:
            self.ask("scancel", "--user=root")
            deadline = time.monotonic() + 30
            while self.ask("squeue", "-h") and time.monotonic() < deadline:
                time.sleep(0.5)
        for daemon in reversed(self._daemons):
            daemon.terminate()
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        deadline = time.monotonic() + 20
        while self._left_cgroups() and time.monotonic() < deadline:
            time.sleep(0.5)

    def _left_cgroups(self) -> bool:
        """Remove the folders of jobs; True where one holds a process still, which is killed."""
        for controller in CONTROLLERS:
            for cgroup in sorted((CGROUPS / controller).glob(f"*{self.node}/**/"), reverse=True):
                with suppress(OSError):
                    for pid in (cgroup / "cgroup.procs").read_text().split():
                        os.kill(int(pid), signal.SIGKILL)
                    cgroup.rmdir()
        return any(list((CGROUPS / name).glob(f"*{self.node}")) for name in CONTROLLERS)

    def _state(self) -> str:
        return self.ask("sinfo", "-h", "-o", "%T")

    def ask(self, *command: str) -> str:
        """What one of SLURM's commands prints."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        return done.stdout.strip()

    def jobs(self) -> list[dict[str, str]]:
        """All jobs so far, by their number: what SLURM says of each, as KEY=VALUE."""
        lines = self.ask("scontrol", "show", "jobs", "--oneliner").splitlines()
        return [dict(w.split("=", 1) for w in line.split() if "=" in w) for line in lines]

    def _write_files(self) -> None:
        # munged wants its folder open to all for passing through, and writable by its owner only
        self.folder.chmod(0o755)
        for name in ("bin", "state", "spool"):
            (self.folder / name).mkdir(mode=0o755)
        (self.folder / "munge.key").write_bytes(os.urandom(1024))
        (self.folder / "munge.key").chmod(0o600)
        values = {
            "@HOST@": socket.gethostname().split(".")[0],
            "@FOLDER@": str(self.folder),
            "@NODE@": self.node,
            "@PROCTRACK@": "proctrack/cgroup" if self.cgroups else "proctrack/pgid",
            "@TASK@": "task/cgroup" if self.cgroups else "task/none",
            "@CONTROLLER_PORT@": str(free_port()),
            "@NODE_PORT@": str(free_port()),
        }
        text = (HERE / "slurm.conf.in").read_text()
        for key, value in values.items():
            text = text.replace(key, value)
        (self.folder / "slurm.conf").write_text(text)
        gpus = [f"NodeName={self.node} Name=gpu File={device}\n" for device in GPUS]
        (self.folder / "gres.conf").write_text("".join(gpus))
        (self.folder / "cgroup.conf").write_text(CGROUP_CONF)
        # Snakemake's job step takes SLURM_CONF out of the environment of srun: put it back.
        srun = self.folder / "bin/srun"
        real = shutil.which("srun", path=PATH)
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {real} "$@"\n')
        srun.chmod(0o755)

    def _daemon(self, name: str, *arguments: str) -> None:
        # setpriv: a daemon does not outlive a test run that is killed
        command = ["setpriv", "--pdeathsig", "TERM", name, *arguments]
        with (self.folder / f"{name}.out").open("wb") as out:
            daemon = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,
            )
        self._daemons.append(daemon)

    def _wait(self, ready: Callable[[], bool], problem: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            dead = any(daemon.poll() is not None for daemon in self._daemons)
            if dead or time.monotonic() > deadline:
                outputs = [path.read_text()[-2000:] for path in self.folder.glob("*.out")]
                raise RuntimeError("\n".join([problem, *outputs]))
            time.sleep(0.2)


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
