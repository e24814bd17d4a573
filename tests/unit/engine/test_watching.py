"""The server of `make watch`: the report and its figures, to this machine alone."""

import http.client
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.watching import keep_current, measured, serve
from ssl_collapse.runtime.errors import UserError


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for name in ("figures/a.png", "so-far/summary.csv", "runs/iid/seed0/training.csv"):
        (tmp_path / "results" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "results" / name).write_text(name)
    (tmp_path / "results/figures/link.csv").symlink_to("../runs/iid/seed0/training.csv")
    return tmp_path / "results"


@pytest.fixture
def port(results: Path) -> Iterator[int]:
    with serve(results / "report.html", port=0, every=30) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])  # s to its end
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def ask(port: int, path: str, method: str = "GET", host: str = "127.0.0.1") -> tuple[int, str, str]:
    """Status, body, and after how many seconds a browser asks again."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers={"Host": f"{host}:{port}"})
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), answer.headers.get("Refresh", "")


def test_the_page_is_served_and_asked_for_again(results: Path, port: int):
    assert ask(port, "/")[::2] == (404, "30"), "not made yet: the browser goes on asking"
    (results / "report.html").write_text("<p>report")
    for path in ("/", "/report.html"):
        assert ask(port, path) == (200, "<p>report", "30")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/figures/a.png", 200),
        ("/so-far/summary.csv", 200),
        ("/runs/iid/seed0/training.csv", 404),
        ("/figures/../runs/iid/seed0/training.csv", 404),
        ("/figures/%2e%2e/runs/iid/seed0/training.csv", 404),
        ("/figures/link.csv", 404),  # leads out
        ("/figures/", 404),  # no listings
        ("//etc/passwd", 404),
    ],
)
def test_only_what_the_page_links_to_is_served(port: int, path: str, status: int):
    assert ask(port, path)[0] == status


@pytest.mark.parametrize(("host", "status"), [("localhost", 200), ("evil.example", 403)])
def test_another_sites_name_for_this_machine_is_refused(port: int, host: str, status: int):
    assert ask(port, "/figures/a.png", host=host)[0] == status


def test_nothing_is_written(port: int):
    assert ask(port, "/figures/a.png", "PUT")[0] == 501


def test_a_port_that_is_taken_is_said(results: Path, port: int):
    with pytest.raises(UserError, match=f"--port {port}: .*; take another one"):
        serve(results / "report.html", port, 30)


def test_the_report_is_made_again_when_results_change(results: Path, tmp_path: Path):
    made = tmp_path / "made"
    command = [sys.executable, "-c", f"open({str(made)!r}, 'a').write('x')"]

    def wait_for(text: str) -> None:
        deadline = time.monotonic() + 30
        while not made.exists() or made.read_text() != text:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    with keep_current(command, results, every=0.05):
        wait_for("x")
        time.sleep(0.3)
        assert made.read_text() == "x", "nothing has changed"
        (results / "runs/iid/seed0/knn.json").write_text("{}")
        wait_for("xx")
    assert len(measured(results)) == 3
