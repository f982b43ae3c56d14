"""`crm.inactive`, from the configuration to the plan: who is only inactive stays by default."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from company import SECRET, Company

from reconcile import config, doctor
from reconcile.cli.commands import group
from reconcile.model import Verdict
from reconcile.sandbox import Book, SandboxServer


@pytest.fixture
def company(tmp_path):
    with SandboxServer(Book.seeded(20, seed=3), client_secret=SECRET) as server:
        made = Company(server=server, folder=tmp_path)
        made.create_state()
        yield made


def export(company, *, inactive=""):
    """The CRM's side with a column `Status`; `inactive` is the id of one whom it says so of."""
    header = "Record ID,First Name,Last Name,Company Name,Email,Phone Number,Status"
    rows = [
        ",".join([*record, "Inactive" if record[0] == inactive else "Active"])
        for record in company.records()
    ]
    company.export(raw="\r\n".join([header, *rows, ""]).encode())


@pytest.mark.parametrize(("policy", "verdict"), [("keep", Verdict.MATCHED), ("gone", "due")])
def test_an_inactive_person_is_due_only_if_the_policy_says_so(company, policy, verdict):
    company.settings = {
        "crm.inactive": policy,
        "policy.grace_exports": 1,
        "policy.grace_hours": 0.0,
    }
    leaver = next(c for c in company.book.all() if c.get("Tag"))
    export(company)
    company.plan()
    company.tomorrow()
    export(company, inactive=leaver["Tag"])
    report = company.plan(with_matched=True)
    found = next(c for c in report.contacts if c.id == leaver["Id"])
    assert found.verdict == (Verdict.DELETE if verdict == "due" else verdict)
    assert report.source.gone == int(policy == "gone")


def toml(company, policy):
    path = company.folder / "config.toml"
    path.write_text(
        f'mode = "review"\n[crm]\nsource = "exports/*.csv"\nregion = "DE"\ninactive = "{policy}"\n'
        f'[pbx]\nurl = "{company.server.url}"\nclient_id = "x"\nclient_secret_env = "SECRET"\n'
    )
    return path


@pytest.mark.parametrize(("policy", "gone", "read"), [("keep", 0, ""), ("gone", 1, "status")])
def test_doctor_and_columns_show_the_policy(company, policy, gone, read):
    export(company, inactive=company.records()[0][0])
    path = toml(company, policy)
    said = {check.name: check.said for check in doctor.examine(path, company.world(), probe=False)}
    assert ("Status → status" in said["columns"]) == bool(read)
    file = next((company.folder / "exports").iterdir())
    result = CliRunner().invoke(group, ["--config", str(path), "columns", str(file), "--json"])
    shown = json.loads(result.stdout)
    assert (shown["gone"], shown["columns"][-1]["reads_as"]) == (gone, read)


def test_the_policy_has_a_default_and_two_values(company):
    assert config.how_read(company.folder / "none.toml")["inactive"] == "keep"
    assert config.how_read(toml(company, "gone"))["inactive"] == "gone"
    with pytest.raises(config.ConfigError) as caught:
        config.load(toml(company, "review"))
    assert [p.column for p in caught.value.problems] == ["crm.inactive"]
