"""The pages in a real browser: quiet, accessible, nothing from a network; sorted and searched."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from commands import call
from debian import cannot_have
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from ssl_collapse.config.dataset import TexturesSource
from ssl_collapse.config.figures import ReportSpec, parse_figure
from ssl_collapse.figures.registry import make
from ssl_collapse.figures.report import Sources, page
from ssl_collapse.figures.theme import save
from ssl_collapse.figures.what_ran import WhatRan
from ssl_collapse.images.textures import write_textures

pytestmark = pytest.mark.thorough
WIDTHS = (390, 820, 1400)  # a phone, a tablet, a desk
PAPER = 718  # CSS pixels of A4 between usual margins
RUNS = ("s1", "s10", "s100", "byol")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if reason := cannot_have(["chromium"], ["chromium"]):
        pytest.skip(f"no browser for the pages: {reason}")
    with sync_playwright() as playwright:
        # as root it runs without its sandbox only
        options = {"executable_path": shutil.which("chromium"), "args": ["--no-sandbox"]}
        yield playwright.chromium.launch(**options)


@pytest.fixture
def report(run_rows, tmp_path: Path) -> Path:
    """A report of four runs: two figures, a note, a seed that diverged, two methods."""
    rows = pd.concat(
        [
            run_rows("s1", share=1.0, auc=[0.70, 0.71], knn_cosine_k20=[0.40, 0.42], rankme=9.0),
            run_rows("s10", share=10.0, auc=[0.80, 0.81], diverged=[False, True], rankme=100.0),
            run_rows("s100", share=100.0, auc=[0.75, 0.76], rankme=20.0),
            run_rows("byol", auc=[0.65, 0.66], method="byol", rankme=30.0),
        ],
        ignore_index=True,
    ).assign(chance=0.1)
    results = tmp_path / "results"
    figures = [results / f"figures/{kind}.png" for kind in ("shares", "schedules")]
    for png in figures:
        spec = parse_figure(json.dumps({"kind": png.stem, "runs": RUNS[:3]}))
        numbers, drawn, caption = make(spec, rows, [])
        save(spec, drawn, [png])
        numbers.to_csv(png.with_suffix(".csv"), index=False)
        png.with_suffix(".txt").write_text(caption)
    summary = results / "tables/summary.csv"
    summary.parent.mkdir()
    rows.to_csv(summary, index=False)
    noted = results / "runs/s100/seed0/epoch0020/collapse.json"
    noted.parent.mkdir(parents=True)
    noted.write_text('{"notes": ["9 rows in 512 dimensions: AUC is larger"]}')
    sources = Sources(summary, figures, [], results, results / "report.html")
    ran = WhatRan(
        {run: {"epochs": 20, "method": {"name": run}} for run in RUNS},
        {"knn": (["0123456789ab"], [{"k_max": 50}])},
        {"Python": "3"},
        [("s1", "2", "90 s", "12")],
        "Training took 90 s in all.",
    )
    spec = ReportSpec(title="T & co", runs=list(RUNS), missing=["sizes: two runs of other sizes"])
    sources.page.write_text(page(spec, sources, ran))
    return sources.page


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    """The page of an audit of a small network on textures."""
    import torch
    import torchvision

    source = {"kind": "textures", "train_images": 40, "val_images": 10, "image_size": 32}
    write_textures(tmp_path / "images", TexturesSource(**source))
    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "encoder.pth")
    words = [tmp_path / "encoder.pth", tmp_path / "images/train", "--out", tmp_path / "audit"]
    words += ["--resize", 32, "--crop", 32, "--device", "cpu"]
    call("audit", *words)
    return tmp_path / "audit/audit.html"


def opened(browser: Browser, path: Path, width: int) -> Page:
    """A page, with all that it says on the console and asks of a network in `page.said`."""
    tab = browser.new_page(viewport={"width": width, "height": 900})
    tab.said = []
    tab.on("console", lambda message: tab.said.append(message.text))
    tab.on("pageerror", lambda error: tab.said.append(str(error)))
    asked = lambda r: r.url.startswith("data:") or r.url == path.as_uri()  # noqa: E731
    tab.on("request", lambda r: None if asked(r) else tab.said.append(r.url))
    tab.goto(path.as_uri())
    return tab


@pytest.mark.parametrize("name", ["report", "audit"])
def test_a_page_is_quiet_accessible_and_fits(browser: Browser, name: str, request, tmp_path: Path):
    tab = opened(browser, request.getfixturevalue(name), 1400)
    tab.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    for scheme, width in (*(("light", w) for w in WIDTHS), ("dark", 390)):
        tab.emulate_media(color_scheme=scheme)
        tab.set_viewport_size({"width": width, "height": 900})
        if width != 820:
            found = Axe().run(tab)
            assert not found.response["violations"], found.generate_report()
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        shot = tmp_path / f"{name}-{scheme}-{width}.png"
        tab.screenshot(path=shot, full_page=True)
        with Image.open(shot) as image:
            assert image.width == width and len(image.getcolors(2**24)) > 50
    assert tab.said == []


def firsts(tab: Page) -> list[str]:
    return tab.locator("#runs tbody tr:visible th").all_inner_texts()


def test_the_table_is_sorted_and_searched(browser: Browser, report: Path):
    tab = opened(browser, report, 1400)
    auc = tab.locator("#runs thead th", has_text="AUC")
    auc.locator("button").click()
    assert firsts(tab) == ["byol", "s1", "s100", "s10"]
    assert auc.get_attribute("aria-sort") == "ascending"
    auc.locator("button").focus()
    tab.keyboard.press("Enter")
    assert firsts(tab) == ["s10", "s100", "s1", "byol"]
    tab.locator("#runs thead button").first.click()
    assert firsts(tab) == ["byol", "s1", "s10", "s100"]
    tab.get_by_label("Find runs").fill("S1 diverged")
    assert firsts(tab) == ["s10"] and tab.locator("#found").inner_text() == "1 of 4"
    tab.get_by_label("Find runs").fill("")
    assert len(firsts(tab)) == 4
    # what belongs to a number stands at it
    tab.locator("#runs tr", has_text="s100").locator("sup a").click()
    assert "larger" in tab.locator("#note-1").inner_text()
    assert tab.said == []


def test_a_figure_is_enlarged_and_put_back_by_keyboard(browser: Browser, report: Path):
    tab = opened(browser, report, 820)
    small = tab.locator(".enlarge").first
    small.focus()
    tab.keyboard.press("Enter")
    large = tab.locator("dialog img")
    assert large.bounding_box()["width"] > small.bounding_box()["width"]
    tab.keyboard.press("Escape")
    assert not tab.locator("dialog").is_visible()
    assert tab.evaluate("document.activeElement.className") == "enlarge"
    assert tab.said == []


def test_in_print_no_table_is_cut(browser: Browser, report: Path):
    tab = opened(browser, report, PAPER)
    tab.emulate_media(media="print")
    for head in tab.locator("#runs thead th").all():
        box = head.bounding_box()
        assert box["x"] + box["width"] <= PAPER, head.inner_text()
    assert not tab.locator(".find").is_visible()
