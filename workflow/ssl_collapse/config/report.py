"""What the report stage receives."""

from typing import Annotated

from pydantic import Field

from ssl_collapse.config.base import StrictModel
from ssl_collapse.config.figures import AccuracyColumn, Text


class ReportSpec(StrictModel):
    """Heading and description of the experiment, and the runs of the table in their order."""

    title: Text
    description: str = ""
    runs: Annotated[list[Text], Field(min_length=1)]
    figures: list[Text] = []  # in the page's order; their files come by argument
    accuracy: AccuracyColumn = "knn_cosine_k20"
