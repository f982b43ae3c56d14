"""Scenarios 1 to 27: what can be wrong with an export."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import zipfile
from datetime import timedelta

import pytest
from amounts import amount, note
from company import HEADER
from scenarios.scene import LEAVERS, SIZE, cases

from reconcile import restoring
from reconcile.model import Exit, Outcome, Status, Verdict
from reconcile.report import text

NAME = "exports/contacts.csv"


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def text_of(rows, **dialect) -> str:
    text = io.StringIO()
    csv.writer(text, **dialect).writerows(rows)
    return text.getvalue()


def changed(company, change) -> str:
    """Tonight's export with every person's row changed."""
    head, *people = rows_of(company.tonight())
    return text_of([head, *(change(list(row)) for row in people)])


def headed(company, header) -> str:
    """Tonight's export under another header row."""
    return text_of([header, *rows_of(company.tonight())[1:]])


def alone(company, **how):
    """Tonight's export is the only file that is there."""
    path = company.exported(**how)
    for other in path.parent.iterdir():
        if other != path:
            other.unlink()
    return path


# ------------------------------------------------------------------ no file, no file to believe


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda _path: None, "export_missing"),
        (lambda path: path.mkdir(), "export_not_a_file"),
        (os.mkfifo, "export_not_a_file"),
        (lambda path: path.symlink_to(path.with_name("real.csv")), "export_not_a_file"),
    ],
    ids=["absent", "directory", "fifo", "symlink"],
)
def test_01_an_export_that_is_no_file_is_no_evidence(company, make, code):
    company.settings["crm.source"] = NAME
    company.exported(name="real.csv")
    make(company.folder / NAME)
    ended = company.ends(company.run)
    assert (ended.code, ended.status) == (Exit.EXPORT, Status.BLOCKED)
    assert code in ended.findings
    assert company.untouched()


@pytest.mark.parametrize("text", ["", ",".join(HEADER) + "\r\n"], ids=["empty", "header only"])
def test_02_an_empty_export_is_rejected(company, text):
    ended = company.night(text)
    assert (ended.code, ended.findings) == (Exit.EXPORT, {"export_empty"})
    assert company.untouched()


def test_03_a_file_cut_at_any_byte_is_rejected_or_deletes_nobody_else(company):
    raw = company.tonight().encode()
    cuts = range(7, len(raw) - 1, len(raw) // amount(check=12, prove=600))
    for cut in [*cuts, len(raw) - 2]:
        company.exported(raw[:cut])
        ended = company.ends(company.plan, record=False)
        if raw[:cut].endswith((b"\r", b"\n")):  # that is scenario 4
            due = {c.id for c in ended.report.contacts if c.verdict is Verdict.DELETE}
            assert due <= set(LEAVERS), cut
        else:
            assert ended.code == Exit.EXPORT, cut
            assert ended.findings in ({"export_truncated"}, {"export_malformed"}), cut
    assert company.untouched()
    note("scenario 3", f"an export cut at {len(cuts) + 1} bytes, no delete too many")


def test_03_a_cut_that_loses_nothing_is_the_same_plan(company):
    ended = company.night(company.tonight().removesuffix("\n"))
    assert (ended.code, company.left()) == (Exit.CONVERGED, set(LEAVERS))


def test_04_rows_lost_at_the_end_ask(company):
    ended = company.night(text_of(rows_of(company.tonight())[:-13]))
    assert (ended.code, ended.status) == (Exit.APPROVAL, Status.NEEDS_APPROVAL)
    assert "export_shrank" in ended.findings
    assert company.untouched()


def test_04_so_few_that_no_guard_sees_them_only_wait(company):
    rows = rows_of(company.tonight())
    lost = {row[0] for row in rows[-6:]}
    victims = {c["Id"] for c in company.book.all() if c.get("Tag") in lost}
    ended = company.night(text_of(rows[:-6]))
    assert ended.code == Exit.CONVERGED
    assert {c.id for c in ended.report.contacts if c.verdict is Verdict.WAITING} == victims
    assert company.left() == set(LEAVERS)
    company.tomorrow()
    again = company.night()
    assert again.report.counts.pbx["waiting"] == 0


def promised(path, rows: int, **more) -> None:
    """What the job that wrote the export says of it."""
    said = json.dumps({"rows": rows, **more})
    path.with_name(f"{path.name}.manifest.json").write_text(said)


def test_04_a_manifest_sees_every_lost_row(company):
    rows = rows_of(company.tonight())
    path = company.exported(text_of(rows[:-1]))
    promised(path, len(rows) - 1)
    ended = company.ends(company.run)
    assert (ended.code, ended.findings) == (Exit.EXPORT, {"manifest_mismatch"})
    assert company.untouched()


def test_05_a_file_that_is_still_being_written_is_left_alone(company):
    company.settings["crm.source"] = f"{NAME}.part"
    company.exported(name="contacts.csv.part")
    ended = company.ends(company.run)
    assert (ended.code, ended.findings) == (Exit.EXPORT, {"export_being_written"})
    assert company.untouched()


def test_06_yesterdays_file_counts_for_nobody(company):
    ended = company.ends(company.run)
    assert (ended.code, ended.findings) == (Exit.CONVERGED, {"export_repeated"})
    for contact_id in LEAVERS:
        found = ended.contact(contact_id)
        assert (found.verdict, found.absent_exports) == (Verdict.WAITING, 1)
    assert company.untouched()


@pytest.mark.parametrize(
    ("age_hours", "code"), [(24 * 30, "export_stale"), (25.5, "export_older")], ids=["month", "day"]
)
def test_07_a_replayed_file_is_refused(company, age_hours, code):
    alone(company, age_hours=age_hours)
    ended = company.ends(company.run)
    assert (ended.code, ended.findings) == (Exit.EXPORT, {code})
    assert company.untouched()


def test_08_another_companys_export_is_not_taken_for_ours(company):
    strangers = [
        [f"X{at}", f"Kim{at}", f"Stranger{at}", "Elsewhere Ltd", f"kim{at}@else.example", ""]
        for at in range(230)
    ]
    ended = company.night(text_of([HEADER, *strangers]))
    assert (ended.code, ended.status) == (Exit.APPROVAL, Status.NEEDS_APPROVAL)
    assert "matched_share" in ended.findings
    assert company.untouched()


def test_08_a_sentinel_that_is_missing_stops_everything(company):
    company.settings["crm.sentinels"] = ["1020", "1021", "1022"]
    ended = company.night(company.tonight(without=(*LEAVERS, 21)))
    assert (ended.code, ended.status) == (Exit.EXPORT, Status.BLOCKED)
    assert ended.findings == {"sentinel_missing"}
    assert company.untouched()


# ------------------------------------------------------------------ columns


@pytest.mark.parametrize(
    ("columns", "code"),
    [({"phone": "Fax"}, "rules_changed"), ({"id": "No"}, "rules_changed")],
    ids=["phone is the fax", "id is the row number"],
)
def test_09_a_wrong_mapping_is_asked_about(company, columns, code):
    head, *people = rows_of(company.tonight())
    rows = [[*row, f"030 555{at:04}", str(at)] for at, row in enumerate(people)]
    company.settings["crm.columns"] = columns
    ended = company.night(text_of([[*head, "Fax", "No"], *rows]))
    assert ended.code == Exit.APPROVAL
    assert code in ended.findings
    assert company.untouched()


def test_09_a_number_in_a_column_that_is_not_read_keeps_its_contact(company):
    head, *people = rows_of(company.tonight())
    number = company.book.get(LEAVERS[0])["PhoneNumber"]
    rows = [[*row, f"was {number}" if at == 40 else ""] for at, row in enumerate(people)]
    ended = company.night(text_of([[*head, "Remark"], *rows]))
    assert ended.contact(LEAVERS[0]).verdict is Verdict.REVIEW
    assert company.left() == {LEAVERS[1]}


@pytest.mark.parametrize(
    ("header", "code", "finding"),
    cases(
        (["Phone Number", *HEADER[1:5], "Record ID"], Exit.APPROVAL, "fill_moved"),
        ([*HEADER[:5], "Xyz"], Exit.APPROVAL, "rules_changed"),
        ([*HEADER[:5], "Last Name"], Exit.EXPORT, "header_duplicate"),
        ([f"C{at}" for at in range(6)], Exit.EXPORT, "header_unknown"),
        ([*HEADER[:5], "Telephone"], Exit.APPROVAL, "rules_changed"),
        (["Xyz", *HEADER[1:]], Exit.APPROVAL, "fill_moved"),
        check=4,
    ),
    ids=str,
)
def test_10_columns_that_moved_are_noticed(company, header, code, finding):
    ended = company.night(headed(company, header))
    assert ended.code == code
    assert finding in ended.findings
    assert company.untouched()


def test_10_columns_in_another_order_are_the_same(company):
    ended = company.night(text_of([row[::-1] for row in rows_of(company.tonight())]))
    assert (ended.code, ended.findings) == (Exit.CONVERGED, set())
    assert company.left() == set(LEAVERS)


# ------------------------------------------------------------------ how it is written


def test_11_another_delimiter_is_the_same_export(company):
    ended = company.night(text_of(rows_of(company.tonight()), delimiter=";"))
    assert (ended.code, company.left()) == (Exit.CONVERGED, set(LEAVERS))


def test_11_a_delimiter_that_changes_in_the_middle_is_rejected(company):
    text = company.tonight()
    half = len(text) // 2
    ended = company.night(text[:half] + text[half:].replace(",", ";"))
    assert (ended.code, ended.findings) == (Exit.EXPORT, {"export_malformed"})
    assert company.untouched()


def test_11_numbers_that_a_spreadsheet_program_shortened_ask(company):
    ended = company.night(changed(company, lambda row: [*row[:5], "4.91512E+11"]))
    assert ended.code == Exit.APPROVAL
    assert "numbers_lost" in ended.findings
    assert company.untouched()


@pytest.mark.parametrize("encoding", cases("utf-16", "cp1252", "utf-8-sig", check=2))
def test_12_another_encoding_is_the_same_export(company, encoding):
    company.book.edit(20, {"LastName": "Müßig"})
    text = company.tonight().encode("cp1252", "replace").decode("cp1252")
    ended = company.night(text.encode(encoding))
    assert (ended.code, company.left()) == (Exit.CONVERGED, set(LEAVERS))


def test_12_bytes_of_two_encodings_are_rejected(company):
    head, *rest = company.tonight().encode().splitlines(keepends=True)
    old, new = ("7001,Ö,Müßig,,,\r\n".encode(name) for name in ("cp1252", "utf-8"))
    ended = company.night(b"".join([head, old, *rest, new.replace(b"7001", b"7002")]))
    assert (ended.code, ended.findings) == (Exit.EXPORT, {"export_malformed"})
    assert company.untouched()


def test_13_a_lost_quote_does_not_swallow_people(company):
    rows = company.tonight().splitlines(keepends=True)
    rows[100] = rows[100].replace(",", ',"', 1)
    ended = company.night("".join(rows))
    assert ended.code == Exit.EXPORT
    assert ended.findings <= {"export_malformed", "export_truncated"}
    assert company.untouched()


# ------------------------------------------------------------------ another selection of people


def test_14_a_filter_that_leaves_people_out_asks(company):
    ended = company.night(text_of(rows_of(company.tonight())[::2]))
    assert ended.code == Exit.APPROVAL
    assert {"export_shrank", "matched_share"} <= ended.findings
    assert company.untouched()


def with_status(company) -> str:
    """Everybody's row is there, and every second says `inactive`."""
    head, *people = rows_of(company.tonight())
    rows = [[*row, "inactive" if at % 2 else "active"] for at, row in enumerate(people)]
    return text_of([[*head, "Status"], *rows])


def test_14_people_who_are_there_but_inactive_are_not_absent(company):
    ended = company.night(with_status(company))
    assert (ended.code, company.left()) == (Exit.CONVERGED, set(LEAVERS))
    assert ended.report.counts.pbx["waiting"] == 0


def test_14_and_if_they_shall_count_as_gone_it_asks_first(company):
    company.settings["crm.inactive"] = "gone"
    ended = company.night(with_status(company))
    assert ended.code == Exit.APPROVAL
    assert {"export_shrank", "matched_share", "rules_changed"} <= ended.findings
    assert company.untouched()


def test_15_pages_that_failed_inside_the_crm_are_missed(company):
    head, *people = rows_of(company.tonight())
    ended = company.night(text_of([head, *people[:100], *people[120:]]))
    assert (ended.code, ended.status) == (Exit.APPROVAL, Status.NEEDS_APPROVAL)
    assert "export_shrank" in ended.findings
    assert company.untouched()


def test_15_a_manifest_that_came_once_is_asked_for_ever_after(company):
    text = company.tonight()
    promised(company.exported(text), len(rows_of(text)) - 1)
    assert company.ends(company.run).code == Exit.CONVERGED
    company.server.clear_requests()
    company.tomorrow()
    ended = company.night(company.tonight(without=(*LEAVERS, 30)))
    assert (ended.code, ended.findings) == (Exit.EXPORT, {"manifest_missing"})
    assert company.methods() == {"GET"}


@pytest.mark.parametrize(
    "page",
    [
        "<!DOCTYPE html><html><body><h1>503 Service Unavailable</h1></body></html>",
        json.dumps({"error": {"code": 401, "message": "INVALID_SESSION_ID"}}),
        "Internal Server Error",
    ],
    ids=["html", "json", "text"],
)
def test_16_an_outage_page_is_no_export(company, page):
    ended = company.night(page)
    assert (ended.code, ended.status) == (Exit.EXPORT, Status.BLOCKED)
    assert company.untouched()


def test_17_new_ids_for_everybody_orphan_nobody(company):
    ended = company.night(changed(company, lambda row: [f"N-{row[0]}", *row[1:]]))
    assert (ended.code, company.left()) == (Exit.CONVERGED, set(LEAVERS))
    assert ended.report.counts.pbx["waiting"] == 0


@pytest.mark.parametrize("again", [lambda row: row, lambda row: [row[0], "Else", *row[2:]]])
def test_18_an_id_that_two_rows_have_is_rejected(company, again):
    rows = rows_of(company.tonight())
    ended = company.night(text_of([*rows, again(list(rows[50]))]))
    assert (ended.code, ended.findings) == (Exit.EXPORT, {"id_not_unique"})
    assert company.untouched()


def national(number: str) -> str:
    """A German number without its country code and its leading 0; "" for any other."""
    found = "".join(c for c in number if c.isdigit() or c == "+")
    within = re.sub(r"^(\+49|0049)0?|^0(?!0)", "", found)
    # Six noughts are a placeholder, which is nobody's number.
    return within if within.isdecimal() and within[:1] != "0" and "000000" not in within else ""


@pytest.mark.parametrize(
    "typed",
    cases(
        lambda n: f"(0{n[:2]}) {n[2:5]}-{n[5:]}",
        lambda n: f"0049 {n}",
        lambda n: f"+49{n}",
        lambda n: f"0{n}",
        check=2,
    ),
)
def test_19_numbers_typed_in_another_way_are_the_same(company, typed):
    """Nothing but the number and the names is as it was."""

    def row_of(row):
        new = [f"N-{row[0]}", *row[1:3], "Renamed AG", f"{row[0]}@new.example"]
        found = national(row[5])
        return [*new, typed(found)] if found else row

    ended = company.night(changed(company, row_of))
    assert (ended.code, company.left()) == (Exit.CONVERGED, set(LEAVERS))
    assert ended.report.counts.pbx["waiting"] == 0


# ------------------------------------------------------------------ slow, small and ordinary losses


def newcomer(number):
    """A record that is as full as the others."""
    mail, phone = f"n{number}@comer.example", f"030 88800{number:02}"
    return [f"8{number:03}", f"New{number}", "Comer", "Comer Ltd", mail, phone]


@pytest.mark.parametrize(
    ("hires", "stop"), [(0, "export_shrinking"), (4, "too_many_in_a_week")], ids=["loss", "change"]
)
def test_20_a_slow_bleed_is_stopped_by_the_week(company, hires, stop):
    """Four a night are too few for every other guard; that others come hides it from some."""
    gone, come, left = list(LEAVERS), [], []
    for first in range(20, 44, 4):
        gone += range(first, first + 4)
        come += [newcomer(first + n) for n in range(hires)]
        ended = company.night(company.tonight(without=gone, extra=come))
        left.append(len(company.left()))
        if ended.code == Exit.APPROVAL:
            break
        company.tomorrow()
    assert ended.findings == {stop}
    assert left[-1] == left[-2] <= SIZE * 0.05


def test_21_a_small_department_that_vanishes_asks(company):
    for contact_id in (5, 6, 20, 21, 22):
        company.book.edit(contact_id, {"Department": "Archive"})
    company.night(company.tonight(without=()))
    for _ in range(2):
        company.tomorrow()
        ended = company.night(company.tonight(without=LEAVERS))
    assert (ended.code, ended.findings) == (Exit.APPROVAL, {"group_lost"})
    assert "Archive" in ended.observed("group_lost")
    assert company.left() == set()


def test_22_somebody_who_really_left_is_deleted_on_the_third_night_and_can_come_back(company):
    ended = company.night()
    assert (ended.code, ended.status) == (Exit.CONVERGED, Status.APPLIED)
    assert ended.outcomes() == dict.fromkeys(LEAVERS, Outcome.DELETED)
    assert company.left() == set(LEAVERS)
    assert all(r.if_match for r in company.deletes())
    company.now += timedelta(days=89)
    run_id = ended.report.run.id
    back = restoring.restore_once(company.config, company.world(), run_id=run_id)
    assert [b.done for b in back] == ["restored", "restored"]
    assert len(company.book.all()) == SIZE - 1


def test_23_somebody_who_reappears_starts_anew(company):
    company.night(company.tonight(without=[6]))
    assert company.has(5)
    company.tomorrow()
    ended = company.night(company.tonight(without=LEAVERS))
    assert ended.contact(5).absent_exports == 1
    assert company.has(5)


# ------------------------------------------------------------------ hostile files


def sparse(path):
    with path.open("wb") as file:
        file.truncate(10 * 2**30)


def bomb(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("contacts.csv", "id,name\r\n")
        archive.filelist[0].file_size = 2**30


def wide(path):
    path.write_text(",".join(f"c{at}" for at in range(20_000)) + "\r\n")


def laughs(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(
            "xl/workbook.xml",
            '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><workbook>&b;</workbook>',
        )


def named(company, name: str) -> None:
    """Tonight's only export is this file."""
    company.settings["crm.source"] = name
    made = (company.now - timedelta(hours=1)).timestamp()
    os.utime(company.folder / name, (made, made))


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (sparse, "export_too_large"),
        (bomb, "export_too_large"),
        (wide, "export_malformed"),
        (laughs, "export_malformed"),
    ],
)
def test_24_a_file_made_to_choke_us_is_refused_before_it_is_read(company, make, code):
    make(company.folder / NAME)
    named(company, NAME)
    ended = company.ends(company.run)
    assert (ended.code, ended.findings) == (Exit.EXPORT, {code})
    assert company.untouched()


@pytest.mark.parametrize(
    "name", cases("../../etc/cron.d/x.csv", "/etc/x.csv", "a/../../x.csv", "C:\\x.csv", check=2)
)
def test_25_an_archive_whose_names_lead_out_of_it_is_refused(company, name):
    with zipfile.ZipFile(company.folder / "exports" / "contacts.zip", "w") as archive:
        archive.writestr(name, company.tonight())
    named(company, "exports/contacts.zip")
    before = sorted(company.folder.parent.rglob("*.csv"))
    ended = company.ends(company.run)
    assert (ended.code, ended.findings) == (Exit.EXPORT, {"export_malformed"})
    assert company.untouched()
    assert sorted(company.folder.parent.rglob("*.csv")) == before


def test_25_an_archive_is_read_and_never_unpacked(company):
    with zipfile.ZipFile(company.folder / "exports" / "contacts.zip", "w") as archive:
        archive.writestr("CON.csv", company.tonight())
    named(company, "exports/contacts.zip")
    assert company.ends(company.run).code == Exit.CONVERGED
    assert company.left() == set(LEAVERS)
    assert list(company.folder.rglob("CON*")) == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "../contacts.csv"])
def test_26_a_path_in_a_manifest_is_never_followed(company, name):
    text = company.tonight()
    promised(company.exported(text), len(rows_of(text)) - 1, file=name)
    ended = company.ends(company.run)
    assert (ended.code, ended.findings) == (Exit.EXPORT, {"manifest_mismatch"})
    assert company.untouched()


HOSTILE = {
    "ansi": "\x1b[2J\x1b[31mred",
    "bidi": "\u202egnp.exe",
    "newline": "a\r\nb",
    "formula": '=HYPERLINK("http://evil.example","x")',
    "html": "<script>alert(1)</script>",
    "markdown": "a | b",
}


@pytest.mark.parametrize("kind", cases(*HOSTILE, check=2))
def test_27_a_hostile_name_is_only_text(company, kind):
    name = HOSTILE[kind]
    company.book.edit(LEAVERS[0], {"LastName": name})
    company.book.edit(40, {"LastName": name})
    ended = company.night(company.tonight(without=[40, *LEAVERS]))
    assert ended.code == Exit.CONVERGED
    assert name in ended.contact(40).name
    shown = io.StringIO()
    text.render(ended.report, shown, full=True)
    written = (company.folder / "reports" / "latest" / "report.json").read_text("utf-8")
    assert all(line.isprintable() for line in shown.getvalue().splitlines())
    assert "\x1b" not in written
    assert "\nb" not in shown.getvalue()
    assert json.loads(written)["contacts"]
