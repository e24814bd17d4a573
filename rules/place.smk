# Where this workflow's own files lie: also as a module of another one.
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path


def source_folder():
    """The folder of scripts and library.

    Of a workflow in a git repository (`github(...)`, `gitfile(...)`), Snakemake fetches only the
    files that it reads itself; the folder of that commit is laid down among its notes.
    """
    here = workflow.current_basedir
    if not hasattr(here, "ref"):
        return Path(here.get_path_or_uri(secret_free=True)).parent / "workflow"
    hosted = getattr(here, "hosted_repo", None)
    git = ["git", "-C", str(hosted.repo_clone if hosted else here.repo_path)]
    commit = output_of([*git, "rev-parse", "--verify", f"{here.ref}^{{commit}}"])
    folder = Path(".snakemake/ssl-collapse", commit.decode().strip()).absolute()
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            files = output_of([*git, "archive", folder.name, "workflow"])
            unpacked = Path(temporary, "unpacked")
            unpacked.mkdir()
            output_of(["tar", "-x", "-C", str(unpacked)], input=files)
            with suppress(OSError):  # another invocation was first
                unpacked.rename(folder)
    return folder / "workflow"


def output_of(arguments, **options):
    return subprocess.run(
        arguments, check=True, stdout=subprocess.PIPE, **options
    ).stdout


WORKFLOW = source_folder()
sys.path.insert(0, str(WORKFLOW))
