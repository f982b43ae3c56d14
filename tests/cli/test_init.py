"""`reconcile init`: from flags, from questions, and never over anything."""

from __future__ import annotations

import stat
import tomllib

import pytest

from reconcile.store.tables import REVISION


def test_flags_make_a_configuration_a_report_folder_and_a_state(office):
    said = office.init(mode="auto", **{"delete-guard": "compare"})
    assert (said.code, said.err) == (0, "")
    made = tomllib.loads(office.config.read_text("utf-8"))
    assert (made["mode"], made["pbx"]["delete_guard"]) == ("auto", "compare")
    assert made["pbx"]["url"] == office.server.url
    assert stat.S_IMODE(office.config.stat().st_mode) == 0o600
    assert said.out.splitlines() == [
        "Wrote config.toml.",
        f"Reports go to {office.folder / 'reports'}.",
        f"{office.folder / 'state' / 'reconcile.db'} was created, empty, with schema {REVISION}.",
        "Next: put the client secret into RECONCILE_3CX_SECRET, then: reconcile doctor",
    ]
    assert office("db", "check").code == 0


def test_questions_are_asked_on_stderr_and_enter_takes_the_default(office):
    said = office("init", answers="auto\n\nAT\nhttps://pbx.example.com:5001\n\n\n\n")
    assert said.code == 0
    assert "Country code for numbers without one [DE]" in said.err
    assert said.out.startswith("Wrote config.toml.\n")
    made = tomllib.loads(office.config.read_text("utf-8"))
    assert (made["mode"], made["crm"]["region"]) == ("auto", "AT")
    assert made["crm"]["source"] == "exports/*.csv"
    assert made["pbx"]["url"] == "https://pbx.example.com:5001"


def test_only_what_no_flag_says_is_asked(office):
    said = office("init", "--mode", "review", "--region", "CH", answers="\n" * 5)
    assert said.code == 0
    assert "Mode" not in said.err
    assert "Country" not in said.err


def test_a_question_that_nobody_answers_is_usage_and_writes_nothing(office):
    said = office("init", "--mode", "review")
    assert said.code == 2
    assert "nobody answered the question, so nothing was done" in said.err
    assert list(office.folder.iterdir()) == []


def test_it_never_overwrites_and_does_not_even_ask(office):
    office.config.write_text("mine")
    said = office("init")
    assert (said.code, said.out) == (2, "")
    assert "There is a configuration at config.toml already" in said.err
    assert "Next: reconcile doctor" in said.err
    assert "Mode" not in said.err
    assert office.config.read_text() == "mine"
    assert list(office.folder.iterdir()) == [office.config]


def test_a_dangling_link_is_something_too(office):
    office.config.symlink_to("elsewhere.toml")
    assert office.init().code == 2
    assert not (office.folder / "elsewhere.toml").exists()


@pytest.mark.parametrize(
    ("changes", "where", "words"),
    [
        ({"region": "Germany"}, "crm.region", "country code of two capital letters"),
        ({"source": "http://crm.example/export"}, "crm.source", "must begin with https://"),
        ({"source": "https://jo:p4ss@crm.example/"}, "crm.source", "must hold no password"),
        ({"source": "https://crm.example/?token=p4ss"}, "crm.source", "a secret in its query"),
        ({"source": ""}, "crm.source", "is required"),
        ({"client-id": ""}, "pbx.client_id", "must not be empty"),
        ({"pbx-url": "pbx.example.com"}, "pbx.url", "must begin with https://"),
        ({"pbx-url": "http://pbx.example.com"}, "pbx.url", "must begin with https://"),
        ({"pbx-url": "https://pbx.example.com/xapi/v1"}, "pbx.url", "without /xapi/v1"),
        ({"secret-env": "p4ss word"}, "pbx.client_secret_env", "name of an environment variable"),
        ({"client-id": "a\x7fb"}, "pbx.client_id", "holds what can't be printed"),
    ],
)
def test_impossible_answers_are_refused_and_nothing_is_written(office, changes, where, words):
    said = office.init(**changes)
    assert (said.code, said.out) == (2, "")
    assert f'column "{where}"' in said.err
    assert words in said.err
    assert "Nothing was done.\n  Next: " in said.err
    assert "p4ss" not in said.err
    assert list(office.folder.iterdir()) == []


def test_an_answer_that_can_not_be_is_asked_for_again(office):
    typed = "always\nauto\n\nAT\npbx.example.com\nhttps://pbx.example.com:5001\n\np4ss word\nPW\n\n"
    said = office("init", answers=typed)
    assert said.code == 0
    assert "\n  It must be review or auto\nMode" in said.err.replace("]: ", "]: \n")
    assert "must begin with https://" in said.err
    assert "  It must be the name of an environment variable; the secret itself stays" in said.err
    assert "p4ss" not in said.err
    made = tomllib.loads(office.config.read_text("utf-8"))
    assert (made["mode"], made["pbx"]["url"]) == ("auto", "https://pbx.example.com:5001")
    assert made["pbx"]["client_secret_env"] == "PW"


def test_no_possible_answer_at_all_is_usage_and_writes_nothing(office):
    said = office("init", answers="always\nsometimes\n")
    assert said.code == 2
    assert "nobody answered the question, so nothing was done" in said.err
    assert list(office.folder.iterdir()) == []


def test_an_answer_beyond_the_basic_plane_is_written_as_it_is(office):
    assert office.init(source="exporte/☎📇*.csv").code == 0
    assert tomllib.loads(office.config.read_text("utf-8"))["crm"]["source"] == "exporte/☎📇*.csv"


@pytest.mark.parametrize("source", ["https://crm.example/c.csv?view=7", "sftp://jo@files/c*.csv"])
def test_the_source_may_be_an_address(office, source):
    assert office.init(source=source).code == 0
    assert tomllib.loads(office.config.read_text("utf-8"))["crm"]["source"] == source


def test_a_folder_that_cannot_be_made_is_explained(office):
    (office.folder / "file").write_text("")
    said = office("--config", "file/config.toml", "init", answers="\n" * 7)
    assert said.code == 8
    assert "can't be written" in said.err
    assert "then: reconcile init" in said.err


def test_a_state_that_is_there_is_kept(office):
    office.ready()
    office.config.unlink()
    said = office.init()
    assert said.code == 0
    assert "nothing to do" in said.out
    assert "1 runs" in office("db", "check").out
