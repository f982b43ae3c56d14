"""Whole nights with an export from a web server and from a database; no secret stays anywhere."""

from __future__ import annotations

import csv
import gzip
import io
import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from company import HEADER, SECRET

from reconcile import doctor, run
from reconcile.planning import Request


@contextmanager
def serving(content, *, status=200):
    """A web server that gives out this text, and remembers what it was sent."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["Authorization"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
        thread.join()


def exported(company):
    text = io.StringIO()
    csv.writer(text).writerows([HEADER, *company.records()])
    return text.getvalue().encode()


@pytest.fixture(autouse=True)
def _no_secret_is_left(company):
    yield
    for path in company.folder.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path


def bearer(company, url):
    company.settings |= {
        "crm.source": f"{url}/people.csv?view=7",
        "crm.auth": "bearer",
        "crm.secret_env": "SECRET",
    }


def test_a_night_with_an_export_from_a_web_server(company):
    with serving(exported(company)) as (url, asked):
        bearer(company, url)
        report = company.plan()
    assert report.exit_code == 0
    assert report.source.name == "people.csv"
    assert report.counts.pbx["matched"] > 0
    assert asked == [("/people.csv?view=7", f"Bearer {SECRET}")]
    assert "view=7" not in report.to_json()


def test_a_server_that_says_no_stops_the_night_and_is_reported(company):
    with serving(b"no", status=403) as (url, _):
        bearer(company, url)
        report = company.plan()
    assert report.exit_code == 3
    assert [f.code for f in report.findings] == ["export_unreachable"]
    assert f"{url}/people.csv answered 403" in report.findings[0].observed
    assert SECRET not in report.to_json()


def test_a_signed_address_is_nowhere_in_the_report(company):
    company.settings |= {"crm.source": "", "crm.source_env": "ADDRESS"}
    for status in (200, 403):
        with serving(exported(company), status=status) as (url, _):
            environ = {"SECRET": SECRET, "ADDRESS": f"{url}/c.csv?sig={SECRET}"}
            world = replace(company.world(), environ=environ)
            report = run.plan_once(company.config, world, Request(command="plan"))
        assert report.exit_code == (0 if status == 200 else 3)
        assert SECRET not in report.to_json()
        assert "sig=" not in report.to_json()


def test_a_night_with_an_export_from_a_database(company):
    with sqlite3.connect(company.folder / "crm.db") as connection:
        names = ", ".join(f'"{name}"' for name in HEADER)
        connection.execute(f"CREATE TABLE people ({names})")
        marks = ", ".join("?" * len(HEADER))
        statement = f"INSERT INTO people VALUES ({marks})"  # noqa: S608 - question marks
        connection.executemany(statement, company.records())
    connection.close()
    company.settings |= {"crm.source": "", "crm.url": "sqlite:///crm.db"}
    company.settings |= {"crm.sql": "SELECT * FROM people"}
    report = company.plan()
    assert report.exit_code == 0
    assert report.source.name == "crm.db"
    company.tomorrow()
    again = company.plan()
    assert again.source.sha256 == report.source.sha256
    assert "export_repeated" in [f.code for f in again.findings]


def test_a_stuck_export_that_is_packed_anew_each_night_is_no_new_evidence(company):
    """Otherwise one glitch of one night would be absence in as many exports as nights."""
    company.settings |= {"crm.source": "exports/*.gz", "mode": "auto"}
    company.export(name="all.csv")
    everybody = (company.folder / "exports" / "all.csv").read_bytes()
    company.export(raw=gzip.compress(everybody, mtime=0), name="contacts.csv.gz")
    assert company.run().exit_code == 0
    company.export(name="all.csv", without=[5])
    without = (company.folder / "exports" / "all.csv").read_bytes()
    for night in range(1, 5):
        company.tomorrow()
        company.export(raw=gzip.compress(without, mtime=night), name="contacts.csv.gz")
        report = company.run()
        assert ("export_repeated" in [f.code for f in report.findings]) is (night > 1)
    (waiting,) = [c for c in report.contacts if c.id == 5]
    assert (waiting.verdict, waiting.absent_exports) == ("waiting", 1)
    assert company.has(5)


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        ({"crm.secret_env": "NOBODY", "crm.source": "s3://b/c"}, "config", "NOBODY is missing"),
        ({"crm.source": "nonsense://x/c"}, "config", "no driver for nonsense://"),
    ],
)
def test_a_source_that_cannot_be_asked_is_reported_as_a_mistake(company, settings, code, words):
    company.settings |= settings
    report = company.plan()
    assert report.exit_code == 2
    assert [f.code for f in report.findings] == [code]
    assert words in report.findings[0].observed
    assert report.findings[0].hint


def test_an_old_file_by_hand_needs_no_secret_of_the_source(company):
    with serving(b"", status=500) as (url, asked):
        bearer(company, url)
        path = company.export()
        company.settings["crm.secret_env"] = "NOBODY"
        assert company.plan(export=str(path)).exit_code == 0
    assert asked == []


def test_the_doctor_fetches_and_reads_the_export(company):
    with serving(exported(company)) as (url, _):
        config = company.folder / "config.toml"
        config.write_text(
            f'mode = "review"\n[crm]\nsource = "{url}/people.csv"\nregion = "DE"\n'
            'auth = "bearer"\nsecret_env = "SECRET"\n'
            f'[pbx]\nurl = "{company.server.url}"\nclient_id = "reconcile"\n'
            'client_secret_env = "SECRET"\n'
        )
        checks = {c.name: c for c in doctor.examine(config, company.world(), probe=False)}
        assert checks["export"].state == "ok"
        assert checks["export"].said.startswith("people.csv, ")
    refused = {c.name: c for c in doctor.examine(config, company.world(), probe=False)}
    assert refused["export"].state == "fail"
    assert "can't be reached" in refused["export"].said
    assert "reconcile doctor" in refused["export"].mend
    assert SECRET not in str(refused)
