"""The HTML pages: one template environment, one look, one script; each page needs no other file."""

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def render(template: str, **values: Any) -> str:
    """A page as HTML; every value is escaped.

    template: a file of this folder that extends page.html.jinja.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(**values)


def embedded(png: bytes) -> str:
    """An image as the page holds it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
