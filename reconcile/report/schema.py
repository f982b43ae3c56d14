"""The JSON Schema of report.json: `python -m reconcile.report.schema`, kept in docs/.

Made from the model that writes and reads reports, so that the two can't differ (JSON Schema,
draft 2020-12). What a later version adds is a new optional property; `schema` says which format.
"""

from __future__ import annotations

import json
from typing import Final

from reconcile.report.model import Report

ID: Final = "https://json-schema.org/draft/2020-12/schema"


def schema() -> str:
    """The schema as an indented document."""
    made = Report.model_json_schema(by_alias=True, mode="serialization")
    for part in (made, *made["$defs"].values()):
        part.pop("additionalProperties", None)  # a later version may add some
    return json.dumps({"$schema": ID, **made}, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(schema(), end="")  # noqa: T201 - what the command is for
