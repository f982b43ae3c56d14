"""What comes with an export and says what it is: it must be true, or nothing is read."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tempfile
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
import pytest
from crm.golden import GOLDENS, NOW
from crm.golden import place as written
from fsspec.implementations.local import LocalFileSystem

from reconcile import crm
from reconcile.crm.sources import Place
from reconcile.crm.sources.beside import SIZE_LIMIT
from reconcile.errors import ExportRejected

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconcile.model import CrmSnapshot

CSV = b"id,name,phone\n" + b"".join(b"%d,Jo Doe,+4930123456%d\n" % (i, i) for i in range(3))
SUM = hashlib.sha256(CSV).hexdigest()
OTHER = hashlib.sha256(b"another export").hexdigest()


def read(files: Mapping[str, bytes | str], folder: Path, **options: Any) -> CrmSnapshot:
    """The first of the files, all being written an hour ago."""
    contents = {n: c if isinstance(c, bytes) else c.encode() for n, c in files.items()}
    written(contents, folder)
    options = {"mapping": {}, "now": NOW, "max_age_hours": 26, **options}
    return crm.read(options.pop("source", next(iter(files))), base=folder, **options)


def proved(files: Mapping[str, bytes | str], folder: Path, **options: Any) -> str:
    return read(files, folder, **options).source.manifest


def refused(files: Mapping[str, bytes | str], folder: Path, **options: Any) -> list[str]:
    """The problems, of which each must be one of a manifest."""
    with pytest.raises(ExportRejected) as caught:
        read(files, folder, **options)
    error = caught.value
    assert {problem.code for problem in error.problems} <= {"manifest_mismatch", "manifest_missing"}
    assert error.exit_code == 3
    assert error.hint
    return [str(problem) for problem in error.problems]


# ---------------------------------------------------------------------------- what counts as one


@pytest.mark.parametrize(
    ("name", "content", "proves"),
    [
        ("contacts.csv.sha256", f"{SUM}  contacts.csv\n", "sha256"),
        ("contacts.csv.sha256", f"{SUM} *./contacts.csv\r\n", "sha256"),
        ("contacts.csv.sha256", f"{SUM}  /srv/exports/contacts.csv\n", "sha256"),
        ("contacts.csv.sha256", f"{SUM}  C:\\exports\\contacts.csv\n", "sha256"),
        ("contacts.csv.sha256", f"\\{SUM}  C:\\\\exports\\\\contacts.csv\n", "sha256"),
        ("contacts.csv.sha256", f"{SUM}  -\n", "sha256"),
        ("contacts.csv.sha256", SUM.upper(), "sha256"),
        ("contacts.csv.sha256", f"{SUM.upper()}\n".encode("utf-16"), "sha256"),
        ("contacts.csv.sha256", f"SHA256 (contacts.csv) = {SUM}\n", "sha256"),
        ("contacts.csv.sha256", f"SHA2-256(contacts.csv)= {SUM}\n", "sha256"),
        ("Contacts.CSV.SHA256SUM", f"{SUM}  contacts.csv\n", "sha256"),
        ("contacts.sha256", f"{OTHER}  contacts.xlsx\n{SUM}  contacts.csv\n", "sha256"),
        ("SHA256SUMS", f"{OTHER}  a.csv\n{SUM}  contacts.csv\n{OTHER}  b.csv\n", "sha256"),
        ("SHA256SUMS", f"{OTHER}  old/contacts.csv\n{SUM}  contacts.csv\n", "sha256"),
        ("sha256sums.txt", f"{SUM}  exports/contacts.csv\n", "sha256"),
        ("contacts.csv.rows", "3\n", "rows"),
        ("contacts.csv.count", "  0003 rows\r\n", "rows"),
        ("contacts.count", "records: 3\n", "rows"),
        ("contacts.csv.count", "4 contacts.csv\n", "rows"),
        ("contacts.csv.lines", "4\n", "rows"),
        ("contacts.lines", "      4 contacts.csv\n", "rows"),
        ("contacts.csv.ok", "3\n", "rows"),
        ("contacts.csv.done", f"all is well\nrows = 3\nsha256 = {SUM}\n", "rows sha256"),
        ("contacts.csv.manifest", f"file: contacts.csv\nstatus: ok\nsha256: {SUM}\n", "sha256"),
        ("contacts.csv.manifest.json", f'{{"rows": 3, "sha256": "{SUM}"}}', "rows sha256"),
        ("contacts.csv.manifest.json", '{"Record_Count": "3", "by": "cron"}', "rows"),
        ("contacts.manifest.json", '{"file": "out/contacts.csv", "records": 3}', "rows"),
        ("contacts.csv.manifest", f'\ufeff {{"sha256sum": "{SUM.upper()}"}}\n', "sha256"),
    ],
)
def test_what_says_what_an_export_is_is_read_in_every_form(
    name: str, content: str | bytes, proves: str, tmp_path: Path
) -> None:
    files = {"contacts.csv": CSV, name: content}
    assert proved(files, tmp_path) == proves
    assert proved(files, tmp_path, manifest="required") == proves
    assert proved(files, tmp_path, manifest="ignore") == ""


def test_a_name_may_be_composed_or_not(tmp_path: Path) -> None:
    """As a Mac writes it, and everybody else."""
    files = {"Kontakte-Süd.csv": CSV, "Kontakte-Süd.csv.sha256": f"{SUM}  Kontakte-Su\u0308d.csv\n"}
    assert proved(files, tmp_path) == "sha256"


@pytest.mark.parametrize(
    "name",
    ["contacts.csv.md5", "contacts.json", "other.csv.sha256", "contacts.csv.sha256.part", "rows"],
)
def test_anything_else_beside_it_says_nothing(name: str, tmp_path: Path) -> None:
    assert proved({"contacts.csv": CSV, name: "nonsense"}, tmp_path) == ""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("contacts.csv.ok", ""),
        ("contacts.csv.done", "finished in 12 s\n"),
        ("contacts.csv.done", "0\n"),  # an exit code
        ("contacts.csv.done", "20261103\n"),
        ("contacts.csv.done", "1793673000"),
        ("contacts.csv.ok", "2 warnings\nstatus: fine\n"),
        ("contacts.csv.ok", f"{OTHER}  accounts.csv\n"),
        ("SHA256SUMS", f"{OTHER}  accounts.csv\n"),
        ("contacts.sha256", f"{OTHER}  contacts.xlsx\n"),
        ("contacts.rows", "rows: 99\nfile: contacts.xlsx\n"),
    ],
)
def test_what_states_nothing_of_this_export_proves_nothing(
    name: str, content: str, tmp_path: Path
) -> None:
    files = {"contacts.csv": CSV, name: content}
    assert proved(files, tmp_path) == ""
    assert refused(files, tmp_path, manifest="required") == [
        "contacts.csv: it has no manifest: nothing says its number of records or its sha256"
    ]


def test_several_are_all_compared_and_what_they_prove_is_added_up(tmp_path: Path) -> None:
    files = {
        "contacts.csv": CSV,
        "contacts.csv.rows": "3\n",
        "SHA256SUMS": f"{SUM}  contacts.csv\n",
    }
    assert proved(files, tmp_path) == "rows sha256"
    wrong = {**files, "contacts.csv.rows": "2\n", "SHA256SUMS": f"{OTHER}  contacts.csv\n"}
    assert [problem.partition(":")[0] for problem in refused(wrong, tmp_path)] == [
        "SHA256SUMS",
        "contacts.csv.rows",
    ]


# ---------------------------------------------------------------------------- what is not true


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("contacts.csv.rows", "2\n", "it says 2 records, and contacts.csv has 3"),
        (
            "contacts.csv.rows",
            "4\n",
            (
                "it says 4 records, and contacts.csv has 3; it has so many lines: let"
                " contacts.csv.lines say them"
            ),
        ),
        ("contacts.csv.rows", "0\n", "it says 0 records, and contacts.csv has 3"),
        ("contacts.csv.lines", "3\n", "it says 3 lines, and contacts.csv has 4"),
        ("contacts.csv.count", "5 contacts.csv\n", "it says 5 lines, and contacts.csv has 4"),
        ("contacts.csv.manifest.json", '{"rows": 1234567}', "it says 1,234,567 records, and"),
        (
            "contacts.csv.sha256",
            f"{OTHER}  contacts.csv\n",
            (
                f"it says sha256 {OTHER[:12]}…, and contacts.csv has {SUM[:12]}… ({len(CSV)}"
                " bytes): one of them is of another export, or not whole"
            ),
        ),
        ("contacts.csv.manifest.json", f'{{"rows": 3, "sha256": "{OTHER}"}}', "it says sha256"),
    ],
)
def test_what_is_not_true_refuses_the_export(
    name: str, content: str, said: str, tmp_path: Path
) -> None:
    files = {"contacts.csv": CSV, name: content}
    (problem,) = refused(files, tmp_path)
    assert problem.startswith(f"{name}: {said}")
    assert proved(files, tmp_path, manifest="ignore") == ""


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("contacts.csv.rows", "", "it is empty: it is half written"),
        ("contacts.csv.sha256", " \n", "it is empty"),
        ("SHA256SUMS", "", "it is empty"),
        ("contacts.manifest.json", "", "it is empty"),
        ("contacts.csv.rows", "3", "its number has no line end behind it"),
        ("contacts.csv.done", "3", "its number has no line end behind it"),
        ("contacts.csv.rows", "three\n", "what it says is no manifest"),
        ("contacts.csv.rows", "1 2 contacts.csv x\n", "it is of another file"),
        ("contacts.csv.rows", "rows: -3\n", "its `rows` is no whole number"),
        ("contacts.csv.manifest.json", '{"rows": 3', "it is no whole JSON"),
        ("contacts.csv.manifest.json", '{"rows": 3.0}', "its `rows` is no whole number"),
        ("contacts.csv.manifest.json", '{"rows": true}', "its `rows` is no whole number"),
        ("contacts.csv.manifest.json", '{"rows": [3]}', "its `rows` is no whole number"),
        ("contacts.csv.manifest.json", f'{{"sha256": "{SUM[:-1]}"}}', "its `sha256` is no sha256"),
        ("contacts.csv.manifest.json", "{}", "it states neither a number of records nor a sha256"),
        ("contacts.csv.manifest.json", '{"a":' * 100_000, "it is no whole JSON"),
        ("contacts.csv.manifest.json", '{"rows": 3, "count": 4}', "it states 2 different values"),
        ("contacts.csv.manifest", "by: cron\n", "it states neither a number of records"),
        ("contacts.csv.manifest", "generated at: 2026-11-03\n", "it states neither a number of"),
        ("contacts.csv.manifest", "a" + " " * 900_000 + "b", "what it says is no manifest"),
        ("contacts.csv.rows", "0\n", "it says 0 records, and contacts.csv has 3"),
        ("contacts.csv.rows", "20261103\n", "it says 20,261,103 records, and"),
        ("contacts.csv.sha256", f"{SUM[:-1]}  contacts.csv\n", "what it says is no manifest"),
        (
            "contacts.csv.sha256",
            f"{SUM}  contacts-1.csv\n",
            "it is of another file, 'contacts-1.csv'",
        ),
        ("contacts.csv.sha256", f"{SUM}  contacts.csv.gz\n", "it is of another file"),
        ("contacts.csv.manifest.json", '{"rows": 3, "name": "b.csv"}', "it is of another file"),
        (
            "contacts.csv.sha256",
            f"{SUM}  contacts.csv\n{OTHER}  contacts.csv\n",
            "it states 2 diff",
        ),
        ("SHA256SUMS", f"{SUM}  a/contacts.csv\n{OTHER}  b/contacts.csv\n", "it states 2 diff"),
        ("SHA256SUMS", f"{OTHER}  a.csv\n{SUM}\n", "a line of it names no file"),
        ("contacts.csv.sha256", bytes(range(128, 256)), "it is no text"),
        ("contacts.csv.sha256", b"\0" * 64, "it is no text"),
        ("contacts.csv.rows", b" " * SIZE_LIMIT + b"3\n", "it has 1,048,578 bytes"),
    ],
)
def test_half_a_manifest_or_one_that_says_nothing_clear_is_none(
    name: str, content: str | bytes, said: str, tmp_path: Path
) -> None:
    for asked in ("auto", "required"):
        (problem,) = refused({"contacts.csv": CSV, name: content}, tmp_path, manifest=asked)
        assert problem.startswith(f"{name}: {said}")


def test_a_manifest_that_is_no_file_is_refused_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "true.rows").write_text("3\n")
    (tmp_path / "contacts.csv.rows").symlink_to("true.rows")
    (tmp_path / "contacts.csv.lines").mkdir()
    os.mkfifo(tmp_path / "contacts.csv.ok")
    assert refused({"contacts.csv": CSV}, tmp_path, manifest="required") == [
        "contacts.csv.lines: it is a directory",
        "contacts.csv.ok: it is a pipe",
        "contacts.csv.rows: it is a symbolic link, which is not followed",
    ]
    assert proved({"contacts.csv": CSV}, tmp_path, manifest="ignore") == ""


@pytest.fixture
def hidden() -> Iterator[Path]:
    """A folder whose names can't be listed and whose files can be read by who knows them."""
    with tempfile.TemporaryDirectory() as folder:
        written(PARTS, Path(folder))
        Path(folder).chmod(0o311)
        yield Path(folder)
        Path(folder).chmod(0o711)


def test_a_folder_that_hides_its_files_could_hide_a_manifest(
    hidden: Path, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("nobody")  # until then the folder is written
    paths = [hidden / name for name in PARTS]
    shown = crm.describe(paths, mapping={})
    assert [problem.code for problem in shown.problems] == ["export_unreadable"]
    assert not crm.describe(paths, mapping={}, manifest="ignore").problems


def test_a_manifest_that_leads_out_of_the_folder_opens_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    (tmp_path / "secret").write_text("secret")
    (problem,) = refused(
        {"contacts.csv": CSV, "contacts.csv.sha256": f"{SUM}  ../secret\n"}, folder
    )
    assert problem == "contacts.csv.sha256: it is of another file, '../secret'"


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    """What is wrong with the rows, too, but then their number is not known."""
    files = {
        "contacts.csv": CSV[:-5],
        "contacts.csv.sha256": f"{SUM}  contacts.csv\n",
        "contacts.csv.lines": "4\n",
        "contacts.csv.rows": "9\n",
        "contacts.csv.manifest.json": "{",
    }
    with pytest.raises(ExportRejected) as caught:
        read(files, tmp_path)
    assert [(p.file, p.code) for p in caught.value.problems] == [
        ("contacts.csv.manifest.json", "manifest_mismatch"),
        ("contacts.csv.lines", "manifest_mismatch"),
        ("contacts.csv.sha256", "manifest_mismatch"),
        ("contacts.csv", "export_truncated"),
    ]
    files["contacts.csv"] = b"PK\x03\x04" + CSV
    with pytest.raises(ExportRejected) as caught:
        read(files, tmp_path)
    assert {p.code for p in caught.value.problems} == {"manifest_mismatch", "export_truncated"}


def test_the_next_command_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportRejected) as caught:
        read({"contacts.csv": CSV, "contacts.csv.rows": "4\n"}, tmp_path)
    where = tmp_path / "contacts.csv"
    assert caught.value.hint == f"let the CRM export again, then: reconcile columns {where}"
    (tmp_path / "contacts.csv.rows").unlink()
    with pytest.raises(ExportRejected) as caught:
        read({"contacts.csv": CSV}, tmp_path, manifest="required")
    assert 'crm.manifest = "auto"' in caught.value.hint
    assert caught.value.hint.endswith(f"then: reconcile columns {where}")


# ---------------------------------------------------------------------------- its time


def read_later(name: str, content: str, folder: Path, *, hours: float) -> CrmSnapshot:
    """With a manifest that was written so many hours before the export."""
    written({"contacts.csv": CSV, name: content.encode()}, folder)
    time = (NOW - timedelta(hours=1 + hours)).timestamp()
    os.utime(folder / name, (time, time))
    return crm.read("contacts.csv", base=folder, mapping={}, now=NOW, max_age_hours=26)


@pytest.mark.parametrize(
    ("name", "content"), [("contacts.csv.rows", "3\n"), ("contacts.csv.lines", "4\n")]
)
def test_a_number_of_an_earlier_night_may_be_right_by_chance_only(
    name: str, content: str, tmp_path: Path
) -> None:
    for hours in (-24, 5.9):
        assert read_later(name, content, tmp_path, hours=hours).source.manifest == "rows"
    with pytest.raises(ExportRejected) as caught:
        read_later(name, content, tmp_path, hours=6.1)
    (problem,) = caught.value.problems
    assert str(problem) == (
        f"{name}: it was written at 2026-11-02 19:24 UTC, long before contacts.csv:"
        " it is an earlier export's"
    )


def test_a_sha256_is_never_right_by_chance(tmp_path: Path) -> None:
    both = f'{{"rows": 3, "sha256": "{SUM}"}}'
    for name, content in (("contacts.csv.sha256", SUM), ("contacts.csv.manifest.json", both)):
        assert "sha256" in read_later(name, content, tmp_path, hours=48).source.manifest
        (tmp_path / name).unlink()


MADE = "contacts.csv.manifest.json"


def made(said: object) -> dict[str, bytes | str]:
    return {"contacts.csv": CSV, MADE: json.dumps({"rows": 3, "generated_at": said})}


@pytest.mark.parametrize(
    ("said", "generated"),
    [
        ("2026-11-02T22:00:00Z", datetime(2026, 11, 2, 22, tzinfo=UTC)),
        ("2026-11-02T23:00:00+01:00", datetime(2026, 11, 2, 22, tzinfo=UTC)),
        ("2026-11-03T02:00:00Z", NOW - timedelta(hours=1)),  # not younger than the file
        ("2026-11-02T22:00:00", NOW - timedelta(hours=1)),  # no zone
        ("02.11.2026 22:00", NOW - timedelta(hours=1)),
        ("9999-12-31T23:59:59-12:00", NOW - timedelta(hours=1)),
        (1793656800, NOW - timedelta(hours=1)),
        ("", NOW - timedelta(hours=1)),
        (None, NOW - timedelta(hours=1)),
    ],
)
def test_an_export_is_as_old_as_its_manifest_says(
    said: object, generated: datetime, tmp_path: Path
) -> None:
    """A copy has a younger time of its own."""
    assert read(made(said), tmp_path).source.generated_at == generated


def test_a_time_without_zone_is_noted(tmp_path: Path) -> None:
    written(
        {n: c if isinstance(c, bytes) else c.encode() for n, c in made("22:00").items()}, tmp_path
    )
    notes = crm.describe("contacts.csv", base=tmp_path, mapping={}).notes
    assert f"{MADE}: its generated_at is no ISO time with a zone, and not used" in notes


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        (
            "2026-11-01T00:00:00+00:00",
            "export_stale",
            (
                "by its generated_at, it was written at 2026-11-01 00:00 UTC, 50.5 hours ago; the"
                " limit is 26 hours"
            ),
        ),
        (
            "2026-11-03T04:00:00+01:00",
            "export_from_the_future",
            "by its generated_at, it was written at 2026-11-03 03:00 UTC, which is in the future",
        ),
    ],
)
def test_a_time_that_is_too_old_or_in_the_future_refuses(
    said: str, code: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ExportRejected) as caught:
        read(made(said), tmp_path)
    assert [(p.code, str(p)) for p in caught.value.problems] == [(code, f"{MADE}: {words}")]
    assert read(made("2026-11-01T00:00:00Z"), tmp_path, max_age_hours=None).source.manifest


# ---------------------------------------------------------------------------- formats


def counted(name: str, records: int) -> dict[str, bytes | str]:
    """A golden of one file, with the number of its records."""
    return {**GOLDENS[name].files, f"{name}.rows": f"{records}\n"}


@pytest.mark.parametrize(
    "name",
    [
        "hubspot-de.csv",
        "salesforce-report.csv",  # a footer is no record
        "espocrm-de.xlsx",
        "hubspot-api.json",
        "salesforce-bulk.ndjson",
        "nextcloud-4.0.vcf",
        "warehouse.parquet",
        "pipedrive.csv.gz",
        "zoho-Data_001.zip",
        "WE_00D5g00000AbCdEEAV_1.ZIP",  # its accounts are no records
        "monday.xlsx",  # titles of groups are none
    ],
)
def test_records_are_counted_as_the_crm_counts_them(name: str, tmp_path: Path) -> None:
    number = len(GOLDENS[name].records)
    assert proved(counted(name, number), tmp_path) == "rows"
    for wrong in (number - 1, number + 1):
        (problem,) = refused(counted(name, wrong), tmp_path)
        assert f"it says {wrong} records, and {name} has {number}" in problem


@pytest.mark.parametrize("name", ["contacts.csv.gz", "contacts.zip"])
def test_of_what_is_packed_the_sha256_is_that_of_the_file_as_it_lies_there(
    name: str, tmp_path: Path
) -> None:
    content = gzip.compress(CSV) if name.endswith(".gz") else zipped({"contacts.csv": CSV})
    digest = hashlib.sha256(content).hexdigest()
    assert proved({name: content, f"{name}.sha256": f"{digest}  {name}\n"}, tmp_path) == "sha256"
    (problem,) = refused({name: content, f"{name}.sha256": f"{SUM}  {name}\n"}, tmp_path)
    assert "it says sha256" in problem
    (tmp_path / f"{name}.sha256").unlink()
    assert refused({name: content, f"{name}.lines": "4\n"}, tmp_path) == [
        f"{name}.lines: it counts lines, and {name} has none: let it count records"
    ]


def zipped(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


PARTS = {"contacts_1.csv": CSV, "contacts_2.csv": CSV.replace(b"\n", b"\n1").removesuffix(b"1")}


def test_of_a_split_export_each_part_has_its_own(tmp_path: Path) -> None:
    two = hashlib.sha256(PARTS["contacts_2.csv"]).hexdigest()
    sums = {"SHA256SUMS": f"{SUM}  contacts_1.csv\n{two}  contacts_2.csv\n"}
    rows = {"contacts_1.csv.rows": "3\n", "contacts_2.csv.lines": "4\n"}
    assert proved({**PARTS, **sums}, tmp_path, source="*.csv") == "sha256"
    assert proved({**PARTS, **rows}, tmp_path, source="contacts*") == "rows sha256"


def test_what_is_said_of_one_part_only_proves_nothing_of_the_export(tmp_path: Path) -> None:
    files = {**PARTS, "contacts_2.csv.rows": "3\n"}
    assert proved(files, tmp_path, source="*.csv") == ""
    assert refused(files, tmp_path, source="*.csv", manifest="required") == [
        "contacts_1.csv: it has no manifest: nothing says its number of records or its sha256"
    ]
    files["contacts_2.csv.rows"] = "2\n"
    assert refused(files, tmp_path, source="*.csv") == [
        "contacts_2.csv.rows: it says 2 records, and contacts_2.csv has 3"
    ]


CONTACTS = b"Id,AccountId,FirstName,LastName,Phone\n3A,1A,Jo,Doe,+49301234567\n"
ACCOUNTS = b"Id,Name,Phone\n1A,Acme,+4930999\n2A,Other,\n"


def test_accounts_beside_the_contacts_are_counted_for_themselves(tmp_path: Path) -> None:
    files = {"Contact.csv": CONTACTS, "Account.csv": ACCOUNTS, "Contact.csv.rows": "1\n"}
    assert proved(files, tmp_path, source="*.csv") == ""
    assert proved({**files, "Account.csv.rows": "2\n"}, tmp_path, source="*.csv") == "rows"
    assert refused({**files, "Account.csv.rows": "1\n"}, tmp_path, source="*.csv") == [
        "Account.csv.rows: it says 1 records, and Account.csv has 2"
    ]


def test_accounts_that_nobody_needs_are_not_asked_for_theirs(tmp_path: Path) -> None:
    files = {
        "Contact.csv": CONTACTS.replace(b"AccountId", b"Company"),
        "Account.csv": ACCOUNTS,
        "Contact.csv.rows": "1\n",
        "Account.csv.rows": "99\n",
    }
    assert proved(files, tmp_path, source="*.csv", manifest="required") == "rows"


# ---------------------------------------------------------------------------- where it is


@pytest.mark.parametrize(
    "manifest",
    [
        "contacts-a.csv.sha256",
        "contacts-a.csv.rows",
        "contacts-a.manifest.json",
        "contacts-a.csv.done",
        "SHA256SUMS",
    ],
)
def test_a_glob_never_takes_a_manifest_for_the_export(manifest: str, tmp_path: Path) -> None:
    """It is the newest file of the folder, as it is written last."""
    written({"contacts-a.csv": CSV, manifest: b"junk"}, tmp_path)
    os.utime(tmp_path / manifest, (NOW.timestamp(), NOW.timestamp()))
    options: Any = {"mapping": {}, "now": NOW, "max_age_hours": 26, "manifest": "ignore"}
    for glob in ("*", "[cS]*", "**"):
        assert crm.read(glob, base=tmp_path, **options).source.name == "contacts-a.csv"


def test_manifests_without_an_export_are_no_export(tmp_path: Path) -> None:
    with pytest.raises(ExportRejected) as caught:
        read({"contacts.csv.rows": "3\n"}, tmp_path, source="contacts*")
    assert [problem.code for problem in caught.value.problems] == ["export_missing"]


def test_only_the_manifests_of_the_night_that_is_read_are_looked_at(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {"contacts-2026-11-02.csv": CSV, "contacts-2026-11-03.csv": CSV}
    files["contacts-2026-11-02.csv.rows"] = "99\n"
    files["contacts-2026-11-03.csv.rows"] = "3\n"
    assert proved(files, tmp_path, source="contacts-*") == "rows"


class Afar(LocalFileSystem):  # type: ignore[misc]  # untyped
    """A driver of a folder that is read as one of another machine."""

    protocol = "afar"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.removeprefix("afar://")))


@pytest.mark.parametrize("name", ["contacts.csv", "contacts*"])
def test_in_a_remote_folder_it_is_the_same(name: str, tmp_path: Path) -> None:
    fsspec.register_implementation("afar", Afar, clobber=True)
    place = Place(source=f"afar://{tmp_path}/{name}")
    options: Any = {"mapping": {}, "now": NOW, "max_age_hours": 26}
    written({"contacts.csv": CSV, "contacts.csv.rows": b"3\n"}, tmp_path)
    assert crm.read(place, **options).source.manifest == "rows"
    written({"contacts.csv.rows": b"4\n"}, tmp_path)
    with pytest.raises(ExportRejected) as caught:
        crm.read(place, **options)
    (problem,) = caught.value.problems
    assert (problem.code, problem.file) == ("manifest_mismatch", "contacts.csv.rows")
    assert caught.value.hint.endswith("then: reconcile doctor")
    assert crm.read(place, manifest="ignore", **options).source.manifest == ""
    written({"contacts.csv.rows": b" " * SIZE_LIMIT + b"3\n"}, tmp_path)
    with pytest.raises(ExportRejected) as caught:
        crm.read(place, **options)
    assert "the limit is 1,048,576" in str(caught.value.problems[0])


def test_a_query_has_no_manifest(tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "crm.db") as database:
        database.execute("CREATE TABLE c AS SELECT 1 id, 'Jo' first_name, '+4930123' phone")
    database.close()
    place = Place(url="sqlite:///crm.db", sql="SELECT * FROM c", base=tmp_path)
    options: Any = {"mapping": {}, "now": NOW, "max_age_hours": 26}
    assert crm.read(place, **options).source.manifest == ""
    with pytest.raises(ExportRejected) as caught:
        crm.read(place, manifest="required", **options)
    assert [problem.code for problem in caught.value.problems] == ["manifest_missing"]
    assert "reconcile doctor" in caught.value.hint


# ---------------------------------------------------------------------------- what is shown


def test_reconcile_columns_shows_what_agreed(tmp_path: Path) -> None:
    content = CSV + b"#TRAILER,3\n"
    digest = hashlib.sha256(content).hexdigest()
    written(
        {
            "contacts.csv": content,
            "contacts.csv.done": b"",
            "contacts.csv.lines": b"5\n",
            "contacts.manifest.json": f'{{"rows": 3, "sha256": "{digest}"}}'.encode(),
        },
        tmp_path,
    )
    assert crm.describe("contacts.csv", base=tmp_path, mapping={}).notes[:4] == (
        "contacts.csv.done says nothing of this export",
        "contacts.csv.lines agrees: 5 lines",
        f"contacts.manifest.json agrees: 3 records, sha256 {digest[:12]}…",
        "the trailer in row 5 agrees: 3 records",
    )
    false = {"contacts.manifest.json": b'{"rows": 2}', "contacts.csv": CSV + b"#TRAILER,4\n"}
    written(false, tmp_path)
    wrong = crm.describe("contacts.csv", base=tmp_path, mapping={})
    assert [note for note in wrong.notes if "contacts" in note or "trailer" in note] == [
        "contacts.csv.done says nothing of this export",
        "contacts.csv.lines agrees: 5 lines",
    ]
    ignored = crm.describe("contacts.csv", base=tmp_path, mapping={}, manifest="ignore")
    assert not ignored.problems


def test_the_trailer_of_each_part_is_shown_with_its_file(tmp_path: Path) -> None:
    written({name: content + b"(3 rows)\n" for name, content in PARTS.items()}, tmp_path)
    assert crm.describe("*", base=tmp_path, mapping={}).notes[:2] == (
        "the trailer in contacts_1.csv, row 5 agrees: 3 records",
        "the trailer in contacts_2.csv, row 5 agrees: 3 records",
    )


def test_a_shell_may_name_the_manifests_among_the_files(tmp_path: Path) -> None:
    written({**PARTS, "contacts_1.csv.rows": b"3\n", "contacts_2.csv.rows": b"3\n"}, tmp_path)
    paths = sorted(tmp_path.iterdir())
    shown = crm.describe(paths, mapping={})
    assert shown.parts == tuple(PARTS)
    assert not shown.problems
    (tmp_path / "contacts_2.csv.rows").write_text("2\n")
    assert [problem.code for problem in crm.describe(paths, mapping={}).problems] == [
        "manifest_mismatch"
    ]
