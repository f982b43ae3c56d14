from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from datetime import UTC, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconcile import crm
from reconcile.crm.sources import age_problems, hint
from reconcile.crm.sources.files import find, load
from reconcile.crm.sources.original import SIZE_LIMIT
from reconcile.errors import ExportRejected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

GOOD = "id,name,phone\n1,Jo Doe,+49301234567\n"
OTHER = "id,name,phone\n2,Mo Roe,+49301234568\n"


def refused(where: str, *, base: Path, now: datetime, **more: Any) -> ExportRejected:
    options = {"mapping": {}, "now": now, "max_age_hours": 26, **more}
    with pytest.raises(ExportRejected) as caught:
        crm.read(where, base=base, **options)
    return caught.value


def codes(error: ExportRejected) -> list[str]:
    return [problem.code for problem in error.problems]


def test_a_missing_file_says_what_to_check(tmp_path: Path, now: datetime) -> None:
    error = refused("contacts.csv", base=tmp_path, now=now)
    assert codes(error) == ["export_missing"]
    assert str(error.problems[0]) == "contacts.csv: there is no such file"
    assert "[crm]" in error.hint
    assert error.exit_code == 3


def test_a_glob_without_match_names_the_pattern(tmp_path: Path, now: datetime) -> None:
    error = refused("contacts-*.csv", base=tmp_path, now=now)
    assert codes(error) == ["export_missing"]
    assert "no file matches contacts-*.csv" in str(error.problems[0])


def test_of_several_matches_the_newest_by_its_time_is_read(
    export: Any, tmp_path: Path, now: datetime
) -> None:
    export(OTHER, name="contacts-2026-11-03.csv", age_hours=5)
    export(GOOD, name="contacts-2026-11-01.csv", age_hours=1)
    (tmp_path / "contacts-9.csv").mkdir()
    found = crm.read("contacts-*.csv", base=tmp_path, mapping={}, now=now, max_age_hours=26)
    assert found.source.name == "contacts-2026-11-01.csv"


def test_of_two_matches_of_the_same_time_the_later_name_is_read(
    export: Any, tmp_path: Path
) -> None:
    export(OTHER, name="contacts-a.csv")
    export(GOOD, name="contacts-b.csv")
    assert find("contacts-*.csv", base=tmp_path) == (tmp_path / "contacts-b.csv",)


def test_a_glob_may_be_absolute_and_its_base_may_hold_brackets(tmp_path: Path) -> None:
    base = tmp_path / "in[box]"
    base.mkdir()
    (base / "contacts-1.csv").write_text(GOOD)
    assert find("contacts-*.csv", base=base) == (base / "contacts-1.csv",)
    other = tmp_path / "other"
    other.mkdir()
    (other / "c1.csv").write_text(GOOD)
    assert find(f"{other}/c*.csv", base=base) == (other / "c1.csv",)


def test_a_name_that_is_no_utf_8_is_written_out(export: Any, tmp_path: Path, now: datetime) -> None:
    """As an old ZIP or Windows left it; reports and databases hold text only."""
    export(GOOD, name=os.fsdecode(b"kontakte-\xdcbersicht.csv"))
    found = crm.read("kontakte-*", base=tmp_path, mapping={}, now=now, max_age_hours=26)
    assert found.source.name == "kontakte-\\udcdcbersicht.csv"
    export(GOOD, name=os.fsdecode(b"\xdc-2.csv"))
    error = refused("*-2.csv", base=tmp_path, now=now)
    assert str(error.problems[0]).isprintable()
    assert codes(error) == ["export_incomplete"]


def test_a_name_with_brackets_that_exists_is_no_pattern(export: Any, tmp_path: Path) -> None:
    export(GOOD, name="contacts[1].csv")
    assert find("contacts[1].csv", base=tmp_path) == (tmp_path / "contacts[1].csv",)


@pytest.mark.parametrize("name", ["contacts.csv.part", "contacts.csv.TMP", "c.crdownload"])
def test_a_name_for_unfinished_files_is_refused(
    export: Any, tmp_path: Path, now: datetime, name: str
) -> None:
    export(GOOD, name=name)
    error = refused(name, base=tmp_path, now=now)
    assert codes(error) == ["export_being_written"]
    assert "rename" in error.hint


def test_a_symbolic_link_is_not_followed(export: Any, tmp_path: Path, now: datetime) -> None:
    (tmp_path / "latest.csv").symlink_to(export(GOOD))
    error = refused("latest.csv", base=tmp_path, now=now)
    assert codes(error) == ["export_not_a_file"]
    assert "symbolic link" in str(error.problems[0])


def test_a_directory_is_refused(tmp_path: Path, now: datetime) -> None:
    (tmp_path / "exports").mkdir()
    error = refused("exports", base=tmp_path, now=now)
    assert codes(error) == ["export_not_a_file"]
    assert "a directory" in str(error.problems[0])


def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path: Path, now: datetime) -> None:
    os.mkfifo(tmp_path / "contacts.csv")
    error = refused("contacts.csv", base=tmp_path, now=now)
    assert codes(error) == ["export_not_a_file"]


def test_a_device_is_refused(tmp_path: Path, now: datetime) -> None:
    error = refused("/dev/null", base=tmp_path, now=now)
    assert codes(error) == ["export_not_a_file"]
    assert "device" in str(error.problems[0])


def test_an_empty_file_is_refused_as_0_rows(export: Any, tmp_path: Path, now: datetime) -> None:
    export(b"")
    error = refused("contacts.csv", base=tmp_path, now=now)
    assert codes(error) == ["export_empty"]
    assert "0 rows" in str(error.problems[0])


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """A folder whose names can be listed and whose files can't be looked at."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    inner = folder / "exports"
    inner.mkdir()
    (inner / "contacts-1.csv").write_text(GOOD)
    (inner / "contacts-1.csv").chmod(0)
    yield inner
    inner.chmod(0o755)
    (inner / "contacts-1.csv").unlink()
    inner.rmdir()
    folder.rmdir()


@pytest.mark.usefixtures("nobody")
def test_a_file_that_may_not_be_read_says_why(closed_folder: Path, now: datetime) -> None:
    error = refused("contacts-1.csv", base=closed_folder, now=now)
    assert codes(error) == ["export_unreadable"]
    assert "Permission denied" in str(error.problems[0])
    assert error.hint.startswith("look at its owner and mode: ls -l /")


def test_matches_that_may_not_be_looked_at_say_why(
    closed_folder: Path, now: datetime, request: pytest.FixtureRequest
) -> None:
    closed_folder.chmod(0o444)
    request.getfixturevalue("nobody")
    error = refused("contacts-*.csv", base=closed_folder, now=now)
    assert codes(error) == ["export_unreadable"]


def test_a_file_beyond_the_limit_is_refused_unread(tmp_path: Path, now: datetime) -> None:
    path = tmp_path / "contacts.csv"
    path.touch()
    os.truncate(path, SIZE_LIMIT + 1)
    error = refused("contacts.csv", base=tmp_path, now=now)
    assert codes(error) == ["export_too_large"]
    assert "209,715,201 bytes" in str(error.problems[0])


def load_often(path: Path) -> None:
    for _ in range(10_000):
        load(path)


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text(GOOD * 100_000)
    done = threading.Event()

    def append() -> None:
        with path.open("ab", buffering=0) as file:
            while not done.is_set():
                file.write(b"2,Mo Roe,+49301234568\n")

    writer = threading.Thread(target=append)
    writer.start()
    try:
        with pytest.raises(ExportRejected) as caught:
            load_often(path)
    finally:
        done.set()
        writer.join()
    assert codes(caught.value) == ["export_being_written"]


def test_what_is_hashed_is_what_was_read_and_its_time_is_utc(export: Any, now: datetime) -> None:
    path = export(GOOD, age_hours=2)
    original = load(path)
    assert original.content == GOOD.encode()
    assert original.sha256 == hashlib.sha256(GOOD.encode()).hexdigest()
    assert original.modified_at == now - timedelta(hours=2)
    assert original.modified_at.tzinfo is UTC
    assert "Jo Doe" not in repr(original)


@pytest.mark.parametrize(
    ("origin", "code", "words"),
    [
        (
            "/in/c d.csv",
            "export_truncated",
            "let the CRM export again, then: reconcile columns '/in",
        ),
        ("/in/c.csv", "header_unknown", "reconcile columns /in/c.csv"),
        ("s3://b/c.csv", "export_from_the_future", "of s3://b/c.csv: date"),
        ("s3://b/c.csv", "export_stale", "the job that writes s3://b/c.csv"),
        ("s3://b/c.csv", "header_unknown", "fetch s3://b/c.csv by hand into a FILE"),
    ],
)
def test_the_next_command_fits_the_place(origin: str, code: str, words: str) -> None:
    assert words in hint(origin, code)


@pytest.mark.parametrize(("age", "found"), [(26, []), (26.01, ["export_stale"])])
def test_an_export_older_than_the_limit_is_stale(
    export: Any, now: datetime, age: float, found: list[str]
) -> None:
    original = load(export(GOOD, age_hours=age))
    problems = age_problems(original, now=now, max_age_hours=26)
    assert [p.code for p in problems] == found


def test_without_a_limit_an_export_may_be_of_any_age(export: Any, now: datetime) -> None:
    original = load(export(GOOD, age_hours=9_999))
    assert age_problems(original, now=now, max_age_hours=None) == ()


@pytest.mark.parametrize(("minutes", "found"), [(5, []), (6, ["export_from_the_future"])])
def test_an_export_from_the_future_proves_nothing(
    export: Any, now: datetime, minutes: int, found: list[str]
) -> None:
    original = load(export(GOOD, age_hours=-minutes / 60))
    for limit in (26, None):
        problems = age_problems(original, now=now, max_age_hours=limit)
        assert [p.code for p in problems] == found


def test_age_and_content_are_refused_together(export: Any, tmp_path: Path, now: datetime) -> None:
    export("id,name\n1,Jo,x\n", age_hours=50)
    error = refused("contacts.csv", base=tmp_path, now=now)
    assert codes(error) == ["export_stale", "export_malformed", "header_unknown"]
    assert "50.0 hours ago; the limit is 26 hours" in str(error.problems[0])
    assert "reconcile plan --export" in error.hint


def test_age_and_a_login_page_are_refused_together(
    export: Any, tmp_path: Path, now: datetime
) -> None:
    export("<html>", age_hours=-1)
    error = refused("contacts.csv", base=tmp_path, now=now)
    assert codes(error) == ["export_from_the_future", "export_wrong_format"]
    assert error.hint.startswith("compare the clocks: date; ls -l /")
