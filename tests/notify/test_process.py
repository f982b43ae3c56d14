"""The real command in a process of its own: a night that deletes, its receivers, and the doctor."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import canaries
import pytest
import warm
from canaries import SECRET
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[2]
CONFIG = """
mode = "auto"
[crm]
source = "exports/*.csv"
region = "DE"
[pbx]
url = "{url}"
client_id = "reconcile"
client_secret_env = "SECRET"
[policy]
grace_exports = 1
grace_hours = 0
[notify]
{notify}
"""


@dataclass
class Office:
    """An administrator's folder; what its commands say is looked through for secrets."""

    company: object
    receivers: str = ""

    def configure(self, notify):
        self.folder = self.company.folder
        text = CONFIG.format(url=self.company.server.url, notify=notify)
        (self.folder / "config.toml").write_text(text, "utf-8")

    def __call__(self, *args):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("RECONCILE")}
        more = {"PYTHONPATH": str(ROOT), "NO_PROXY": "*", "SECRET": SECRET}
        environ = {**kept, **more, "RECEIVERS": self.receivers}
        with warm.start(*args, cwd=self.folder, env=environ) as process:
            out, err = process.communicate(timeout=60)
        assert not canaries.leaks((out + err).encode())
        assert "Traceback" not in out + err
        return process.returncode, out, err

    def tomorrow(self, **export):
        """Another export, made now."""
        self.company.now = datetime.now(UTC)
        for old in (self.folder / "exports").glob("*"):
            old.unlink()
        self.company.export(age_hours=0, **export)


@pytest.fixture
def office(company):
    company.now = datetime.now(UTC)
    return Office(company)


def test_a_night_that_deletes_tells_everybody(office, hook, mailbox):
    office.configure(
        f'urls = ["{mailbox.url}"]\nurls_env = "RECEIVERS"\nmetrics_file = "reconcile.prom"'
    )
    office.receivers = f"{hook.url}?+X-Token={SECRET} json://127.0.0.1:9/{SECRET}"
    office.tomorrow()
    assert office("run")[0] == 0
    assert hook.got == []
    office.tomorrow(without=[5])
    leaver = office.company.book.get(5)
    code, out, err = office("run")
    assert (code, office.company.has(5)) == (0, False)
    assert "1 of 100 phone-system contacts was deleted." in out
    assert err == (
        "reconcile: no message: number 3 (json://) of the receivers did not take the message\n"
    )
    assert hook.titles == ["contacts were deleted"]
    for text in (hook.last["message"], mailbox.text()):
        assert f"{leaver['FirstName']} {leaver['LastName']}" in text
        assert leaver["PhoneNumber"] in text
        assert "reconcile restore --run 2" in text
    text = (office.folder / "reconcile.prom").read_text("utf-8")
    samples = {s.name: s for f in text_string_to_metric_families(text) for s in f.samples}
    assert samples["reconcile_last_run_exit_code"].value == 0
    assert samples["reconcile_outcomes"].value == 1
    assert (
        samples["reconcile_last_success_timestamp_seconds"].value
        > datetime.now(UTC).timestamp() - 600
    )

    (office.folder / "state" / "reconcile.db").unlink()
    assert office("run")[0] == 8
    assert hook.titles[-1] == "a run could not be made"


def test_an_apply_is_told_and_a_refused_one_is_not(office, hook):
    office.configure(f'urls = ["{hook.url}"]')
    office.tomorrow()
    assert office("run")[0] == 0
    office.tomorrow(without=[5])
    assert office("plan")[0] == 10
    assert office("apply", "0" * 12)[0] == 4
    assert hook.got == []
    with office.company.ledger() as ledger:
        digest = ledger.runs()[0].digest
    assert office("apply", digest)[0] == 0
    assert hook.titles == ["contacts were deleted"]
    assert "run 3, apply, mode auto" in hook.last["message"]


def test_the_doctor_looks_at_the_receivers_and_sends_a_test_if_asked(office, hook, mailbox):
    office.configure(f'urls = ["{mailbox.url}", "{hook.url}"]\nmetrics_file = "r.prom"')
    office.tomorrow()
    code, out, _ = office("doctor")
    assert code == 0
    assert "OK    notify: number 1 (mailto://) is understood" in out
    assert "OK    notify: number 2 (json://) is understood" in out
    assert "OK    metrics: " in out
    assert (hook.got, mailbox.got) == ([], [])
    code, out, _ = office("doctor", "--notify")
    assert code == 0
    assert "OK    notify: number 2 (json://) was told" in out
    assert hook.titles == ["a test"]
    assert "messages of reconcile arrive here" in mailbox.text()


def test_the_doctor_says_what_to_do_about_a_receiver_or_a_folder(office, hook):
    office.configure('urls_env = "RECEIVERS"\nmetrics_file = "nowhere/r.prom"')
    office.receivers = f"nonsense://{SECRET} {hook.url}/{SECRET}"
    office.tomorrow()
    hook.status = 500
    code, out, _ = office("doctor", "--notify")
    assert code == 2
    assert "FAIL  notify: number 1 (nonsense://) is not understood\n      → write it as" in out
    assert "FAIL  notify: number 2 (json://) did not take the message\n      → look at" in out
    assert "nowhere/r.prom can't be written: No such file or directory\n      → make its" in out
    office.receivers = ""
    code, out, _ = office("doctor")
    assert code == 2
    assert "FAIL  notify: the environment variable RECEIVERS is missing or empty" in out


def test_the_doctor_has_nobody_to_tell(office):
    office.configure("")
    office.tomorrow()
    assert "notify" not in office("doctor")[1]
    code, out, _ = office("doctor", "--notify")
    assert code == 2
    assert "FAIL  notify: there is nobody to be told\n      → set notify.urls" in out
