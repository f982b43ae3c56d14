"""Which of the files in a folder are one export: a table of nights, and what each gives."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile import crm
from reconcile.crm.sources import nights
from reconcile.crm.sources.files import find, load
from reconcile.crm.sources.nights import Found
from reconcile.errors import ExportRejected

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

Folder = dict[str, float]
"""Name → hours before the run."""

WHOLE: dict[str, tuple[Folder, str]] = {
    "one file": ({"c.csv": 1}, "c.csv"),
    "one file over an older night's": (
        {"c-2026-11-02.csv": 25, "c-2026-11-03.csv": 1},
        "c-2026-11-03.csv",
    ),
    "part 1 alone": ({"c-1.csv": 1}, "c-1.csv"),
    "parts in their order, not in that of their times": (
        {"c-2.csv": 1.02, "c-1.csv": 1.01, "c-10.csv": 1}
        | {f"c-{n}.csv": 1 for n in range(3, 10)},
        " ".join(f"c-{n}.csv" for n in range(1, 11)),
    ),
    "numbered from 0": ({"c_0.csv": 1.1, "c_1.csv": 1}, "c_0.csv c_1.csv"),
    "the first without a number": ({"c.csv": 1.1, "c-2.csv": 1}, "c.csv c-2.csv"),
    "the first without a number, then 1": ({"c.csv": 1.1, "c (1).csv": 1}, "c.csv c (1).csv"),
    "a slow export": ({"c-1.csv": 5, "c-2.csv": 3, "c-3.csv": 1}, "c-1.csv c-2.csv c-3.csv"),
    "all parts over an older night's": (
        {"c-2026-11-02-1.csv": 25, "c-2026-11-02-2.csv": 25}
        | {"c-2026-11-03-1.csv": 1, "c-2026-11-03-2.csv": 1},
        "c-2026-11-03-1.csv c-2026-11-03-2.csv",
    ),
    "more parts than the night before": (
        {"c-2026-11-02-1.csv": 25, "c-2026-11-03-1.csv": 1, "c-2026-11-03-2.csv": 1},
        "c-2026-11-03-1.csv c-2026-11-03-2.csv",
    ),
    "of how many": ({"c_1of2.csv": 1, "c_2of2.csv": 1}, "c_1of2.csv c_2of2.csv"),
    "a serial, one each night": (
        {"people-acme-119.csv": 49, "people-acme-120.csv": 25, "people-acme-121.csv": 1},
        "people-acme-121.csv",
    ),
    "a serial whose last is the night before": (
        {"people-acme-120.csv": 25, "people-acme-121.csv": 1},
        "people-acme-121.csv",
    ),
    "a serial, the others cleared away": ({"people-acme-120.csv": 1}, "people-acme-120.csv"),
    "a serial from its beginning": ({"c-1.csv": 49, "c-2.csv": 25, "c-3.csv": 1}, "c-3.csv"),
    "a browser's downloads, one each day": (
        {"c.csv": 49, "c (1).csv": 25, "c (2).csv": 1},
        "c (2).csv",
    ),
    "another export beside it": ({"other-1.csv": 1.1, "c.csv": 1}, "c.csv"),
    "another format of the same name": ({"c-1.csv": 1, "c-2.xlsx": 1.1}, "c-1.csv"),
    "accounts beside contacts, written last": (
        {"Contact.csv": 1.1, "Account.csv": 1},
        "Contact.csv Account.csv",
    ),
    "accounts beside parts of contacts": (
        {"Account_1.csv": 1.2, "Contact_1.csv": 1.1, "Contact_2.csv": 1, "Account_2.csv": 1.2},
        "Contact_1.csv Contact_2.csv Account_1.csv Account_2.csv",
    ),
    "accounts of an older night": ({"Contact.csv": 1, "Account.csv": 25}, "Contact.csv"),
    "accounts alone": ({"Account.csv": 1}, "Account.csv"),
    "a part that never came, long ago": ({"c.csv": 1, "c.csv.part": 30}, "c.csv"),
}  # fmt: skip

HALF: dict[str, tuple[Folder, str]] = {
    "a gap": (
        {"c-1.csv": 1, "c-3.csv": 1},
        "part 2 is missing: the newest night has c-1.csv, c-3.csv",
    ),
    "no beginning": ({"c-2.csv": 1, "c-3.csv": 1}, "part 1 is missing"),
    "part 2 alone": ({"c-2.csv": 1}, "part 1 is missing"),
    "part 2 came first, 1 is the night before's": (
        {"c-1.csv": 25, "c-2.csv": 1},
        "part 1 is missing",
    ),
    "part 1 came first, 2 is the night before's": (
        {"c-1.csv": 1, "c-2.csv": 25},
        "c-2.csv is of an earlier night",
    ),
    "fewer parts than the night before, names overwritten": (
        {"c-1.csv": 1, "c-2.csv": 1, "c-3.csv": 25},
        "c-3.csv is of an earlier night",
    ),
    "fewer parts than some night before, names with a date": (
        {"c-2026-11-01-1.csv": 49, "c-2026-11-01-2.csv": 49}
        | {"c-2026-11-02-1.csv": 25, "c-2026-11-03-1.csv": 1},
        "it has 1 parts, and c-2026-11-01 had 2",
    ),
    "the same, the number falling away": (
        {"c-2026-11-02-1.csv": 25, "c-2026-11-02-2.csv": 25, "c-2026-11-03.csv": 1},
        "it has 1 parts, and c-2026-11-02 had 2",
    ),
    "the first without a number is the night before's": (
        {"c.csv": 25, "c-2.csv": 1},
        "part 1 is missing",
    ),
    "the first without a number, then 1, and it is the night before's": (
        {"c.csv": 25, "c-1.csv": 1},
        "part 0 is missing",
    ),
    "only the one without a number is new": (
        {"c.csv": 1, "c-2.csv": 25},
        "c-2.csv is of an earlier night",
    ),
    "fewer than it says": ({"c_1of3.csv": 1, "c_2of3.csv": 1}, "part 3 is missing"),
    "more than it says": ({f"c_{n}of2.csv": 1 for n in (1, 2, 3)}, "disagree on how many"),
    "two totals": ({"c_1of2.csv": 1, "c_2of3.csv": 1}, "disagree on how many"),
    "two of one number": ({"c-1.csv": 1, "c-01.csv": 1}, "c-01.csv and c-1.csv are the same part"),
    "two serials in one night": (
        {"people-acme-120.csv": 3, "people-acme-121.csv": 1},
        "and 114 more is missing: the newest night has people-acme-120.csv, people-acme-121.csv",
    ),
    "a serial that began again": ({"c-121.csv": 25, "c-2.csv": 1}, "part 1 is missing"),
    "an export began again and is not done": (
        {"c-1.csv": 1, "c-2.csv": 4, "c-3.csv": 4},
        "c-2.csv is older than c-1.csv",
    ),
    "the last part came first, the others are the night before's": (
        {"c-1.csv": 30, "c-2.csv": 29, "c-3.csv": 1},
        "part 1, 2 is missing",
    ),
}  # fmt: skip

WRITTEN: dict[str, tuple[Folder, str]] = {
    "the newest is not done": ({"c-1.csv": 1, "c-2.csv.part": 0.9}, "c-2.csv.part"),
    "its next version is on its way": ({"c.csv": 1, "c.csv.tmp": 0.5}, "c.csv.tmp"),
    "a part is on its way, though older than the last": (
        {"c-1.csv": 1, "c-2.csv.filepart": 1.5},
        "c-2.csv.filepart",
    ),
}


@pytest.fixture
def folder(tmp_path: Path, now: datetime) -> Any:
    def made(files: Folder) -> Path:
        for row, (name, hours) in enumerate(files.items()):
            path = tmp_path / name
            path.write_text(f"id,name,phone\n{row},Jo Doe,+4930123456{row:02}\n")
            written = now.timestamp() - hours * 3600
            os.utime(path, (written, written))
        return tmp_path

    return made


def refusal(base: Path, source: str = "*c*") -> ExportRejected:
    with pytest.raises(ExportRejected) as caught:
        find(source, base=base)
    return caught.value


@pytest.mark.parametrize(("files", "export"), WHOLE.values(), ids=WHOLE)
def test_the_newest_complete_night_is_the_export(folder: Any, files: Folder, export: str) -> None:
    expected = [f"{name}" for name in export.replace(".csv ", ".csv|").split("|")]
    assert [path.name for path in find("*[cC]*[vx]*", base=folder(files))] == expected


@pytest.mark.parametrize(("files", "words"), HALF.values(), ids=HALF)
def test_what_may_be_half_an_export_is_refused(folder: Any, files: Folder, words: str) -> None:
    error = refusal(folder(files))
    assert [problem.code for problem in error.problems] == ["export_incomplete"]
    assert words in error.message
    assert error.hint


@pytest.mark.parametrize(("files", "name"), WRITTEN.values(), ids=WRITTEN)
def test_what_is_still_on_its_way_is_waited_for(folder: Any, files: Folder, name: str) -> None:
    for source in ("*c*", "c*.csv"):
        error = refusal(folder(files), source)
        assert [problem.code for problem in error.problems] == ["export_being_written"]
        assert name in error.message


def test_files_of_other_folders_are_no_parts(folder: Any, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    folder({"a/c-2.csv": 1.1, "b/c-1.csv": 1})
    assert [path.name for path in find("*/c*.csv", base=tmp_path)] == ["c-1.csv"]


def test_folders_with_a_date_are_nights_too(folder: Any, tmp_path: Path) -> None:
    (tmp_path / "2026-11-02").mkdir()
    (tmp_path / "2026-11-03").mkdir()
    folder({"2026-11-02/c-1.csv": 25, "2026-11-02/c-2.csv": 25, "2026-11-03/c-1.csv": 1})
    assert "had 2" in refusal(tmp_path, "*/c*.csv").message


@pytest.mark.parametrize("name", ["c-1.csv", "c-2.csv"])
def test_a_part_named_by_itself_is_refused(folder: Any, name: str) -> None:
    error = refusal(folder({"c-1.csv": 1.1, "c-2.csv": 1}), name)
    assert [problem.code for problem in error.problems] == ["export_incomplete"]
    assert "by a glob" in error.hint


@pytest.mark.parametrize("hours", [25, 0.1])
def test_a_file_named_by_itself_is_read_whatever_its_number(folder: Any, hours: float) -> None:
    base = folder({"c-7.csv": hours, "c-6.csv": 9, "c-7.xlsx": hours, "d-8.csv": hours})
    assert [path.name for path in find("c-7.csv", base=base)] == ["c-7.csv"]


def test_a_named_file_whose_next_version_comes_is_waited_for(folder: Any) -> None:
    error = refusal(folder({"c.csv": 1, "c.csv.part": 0.5}), "c.csv")
    assert [problem.code for problem in error.problems] == ["export_being_written"]


def test_a_refused_night_is_a_refused_export(folder: Any, now: datetime) -> None:
    base = folder({"c-1.csv": 1, "c-3.csv": 1})
    with pytest.raises(ExportRejected) as caught:
        crm.read("c*.csv", base=base, mapping={}, now=now, max_age_hours=26)
    assert str(caught.value.problems[0]).startswith("c*.csv: part 2 is missing")
    assert caught.value.exit_code == 3


def test_each_original_says_where_it_came_from(folder: Any) -> None:
    base = folder({"c-1.csv": 1, "c-2.csv": 1})
    originals = [load(path) for path in find("c*.csv", base=base)]
    assert [o.name for o in originals] == ["c-1.csv", "c-2.csv"]
    assert [o.origin for o in originals] == [f"{base}/c-1.csv", f"{base}/c-2.csv"]


def test_accounts_beside_contacts_give_them_their_company(tmp_path: Path, now: datetime) -> None:
    contacts = "Id,LastName,Phone,AccountId\n003A,Doe,+49301234567,001A\n"
    (tmp_path / "Contact.csv").write_text(contacts)
    (tmp_path / "Account.csv").write_text("Id,Name,Phone\n001A,Doe GmbH,+4930765432\n")
    for path in tmp_path.iterdir():
        os.utime(path, (now.timestamp(), now.timestamp()))
    found = crm.read("*.csv", base=tmp_path, mapping={}, now=now, max_age_hours=26)
    assert list(found.records["company"]) == ["Doe GmbH"]
    assert found.source.name == "Contact.csv and 1 more"


@given(
    count=st.integers(2, 12),
    lost=st.integers(0, 11),
    minutes=st.lists(st.integers(0, 14), min_size=12, max_size=12),
)
def test_no_part_but_the_last_can_be_lost_unseen(count: int, lost: int, minutes: list[int]) -> None:
    """The last one can, where nothing says how many there are: only the guards see that."""
    every = [Found(path=f"c-{n}.csv", written=minutes[n - 1] * 60.0) for n in range(1, count + 1)]
    assert nights.newest(every) == tuple(every)
    gone = lost % count
    left = every[:gone] + every[gone + 1 :]
    if gone == count - 1:
        assert nights.newest(left) == tuple(left)
        return
    with pytest.raises(ExportRejected):
        nights.newest(left)
