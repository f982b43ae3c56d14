"""`reconcile columns`: what is shown of an export, and of what can be read at all."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from reconcile.cli.commands import group
from reconcile.config import Crm

GOLDENS = Path(__file__).parent.parent / "crm" / "goldens"


def columns(*arguments: object):
    said = CliRunner().invoke(
        group, ["--config", "none.toml", "columns", *map(str, arguments)], standalone_mode=False
    )
    return said.return_value, said.output, said.exception


def test_of_an_archive_the_file_inside_and_the_crm_are_shown():
    code, out, _ = columns(GOLDENS / "WE_00D5g00000AbCdEEAV_1.ZIP")
    assert code == 0
    assert "  looks like: Salesforce\n  read from: Contact.csv\n" in out
    assert re.search(r"Account\.Phone +→ +shared_phone", out)


def test_all_files_of_a_split_export_are_shown_as_one(tmp_path):
    paths = [tmp_path / f"contacts-{i}.csv" for i in (1, 2)]
    for path in paths:
        path.write_text(f"id,name,phone\n{path.stem},Jo,1\n")
    code, out, _ = columns(*paths)
    assert code == 0
    assert "2 parts, utf-8" in out
    assert "  read from: contacts-1.csv\n  read from: contacts-2.csv\n" in out
    assert "2 records" in out
    assert json.loads(columns(tmp_path, "--json")[1])["parts"] == [p.name for p in paths]


def test_a_format_that_is_named_refuses_another():
    code, out, _ = columns(GOLDENS / "hubspot-en.csv", "--format", "xlsx")
    assert code == 3
    assert "it is a CSV file, where a workbook (XLSX) is expected" in out


def test_the_configured_format_is_accepted_and_no_other_unless_it_is_named(tmp_path):
    config = tmp_path / "config.toml"
    example = Path(__file__).parent.parent.parent / "config.example.toml"
    config.write_text(
        example.read_text("utf-8").replace('format = "auto"', 'format = "json"'), "utf-8"
    )
    command = ["--config", str(config), "columns", str(GOLDENS / "hubspot-en.csv")]
    refused = CliRunner().invoke(group, command, standalone_mode=False)
    assert refused.return_value == 3
    assert "JSON" in refused.output
    named = CliRunner().invoke(group, [*command, "--format", "csv"], standalone_mode=False)
    assert named.return_value == 0


def test_a_format_that_nobody_knows_is_a_mistake_of_the_command_line():
    code, _, error = columns(GOLDENS / "hubspot-en.csv", "--format", "bogus")
    assert code is None
    assert "reconcile columns --formats" in str(error)


def test_formats_are_listed_by_the_names_of_the_configuration():
    _, out, _ = columns("--formats")
    listed = json.loads(columns("--formats", "--json")[1])
    assert set(listed["formats"]) == set(Crm.model_fields["format"].annotation.__args__)
    assert "HubSpot (German)" in listed["crms"]
    for word in (*listed["formats"], *listed["crms"]):
        assert f"  {word}" in out


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_without_a_file_it_asks_for_one(arguments):
    assert "Name the FILE" in str(columns(*arguments)[2])
