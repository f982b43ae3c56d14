"""The published schema is the one of this version, and what a run writes fits it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from reported import outcomes, result

from reconcile.model import Outcome
from reconcile.report.build import build
from reconcile.report.schema import schema

PUBLISHED = Path(__file__).parents[2] / "docs" / "report.schema.json"


@pytest.fixture(scope="module")
def validator():
    document = json.loads(PUBLISHED.read_text("utf-8"))
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document)


def test_the_published_schema_is_that_of_this_version():
    """Else: make fix."""
    assert PUBLISHED.read_text("utf-8") == schema()


def test_the_command_that_makes_it_prints_it():
    made = [sys.executable, "-m", "reconcile.report.schema"]
    assert subprocess.run(made, capture_output=True, check=True, text=True).stdout == schema()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"outcomes": outcomes(Outcome.DELETED)},
        dict.fromkeys(("crm", "pbx", "matching", "plan")),
    ],
)
@pytest.mark.parametrize("masked", [True, False])
def test_what_a_run_writes_fits_the_schema(validator, changes, masked):
    before = build(result(), previous=None, masked=masked)
    report = build(result(**changes), previous=before, masked=masked)
    validator.validate(json.loads(report.to_json()))


@pytest.mark.parametrize(
    ("name", "value"),
    [("schema", "reconcile-report/2"), ("status", "fine"), ("exit_code", 99), ("contacts", None)],
)
def test_what_is_no_report_does_not_fit(validator, name, value):
    report = json.loads(build(result(), previous=None, masked=False).to_json())
    with pytest.raises(ValidationError):
        validator.validate({**report, name: value})


def test_a_property_of_a_later_version_fits(validator):
    report = json.loads(build(result(), previous=None, masked=False).to_json())
    validator.validate({**report, "guards": []})
