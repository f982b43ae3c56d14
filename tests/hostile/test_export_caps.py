"""Exports made to fill the memory or to write where they have no business: refused, and cheaply."""

from __future__ import annotations

import gzip
import io
import json
import re
import stat
import struct
import zipfile
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from amounts import note
from hostile.measured import MIB, columns

from reconcile.crm import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HEADER = b"Record ID,First Name,Last Name,Company Name,Email,Phone Number\n"
GOOD = HEADER + b"1,Jo,Doe,Acme,jo@example.com,030 1234567\n"
LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 12))


def zipped(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def nested(levels: int) -> bytes:
    """An archive in an archive in an archive, each of them ten times."""
    content = GOOD
    for _ in range(levels):
        content = zipped({f"{n}.zip": content for n in range(10)})
    return content


def workbook(sheet: bytes, *, strings: bytes = b"", doctype: bytes = b"") -> bytes:
    """A workbook of one sheet with this XML in it."""
    main = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rel = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    kinds = b"http://schemas.openxmlformats.org/package/2006/"
    return zipped(
        {
            "[Content_Types].xml": b'<Types xmlns="%scontent-types"/>' % kinds,
            "xl/workbook.xml": b'<workbook xmlns="%s" xmlns:r="%s"><sheets>'
            b'<sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>' % (main, rel),
            "xl/_rels/workbook.xml.rels": b'<Relationships xmlns="%srelationships">'
            b'<Relationship Id="r1" Type="%s/worksheet" Target="worksheets/sheet1.xml"/>'
            b"</Relationships>" % (kinds, rel),
            "xl/sharedStrings.xml": doctype + b'<sst xmlns="%s">%s</sst>' % (main, strings),
            "xl/worksheets/sheet1.xml": b'<worksheet xmlns="%s"><sheetData>%s</sheetData>'
            b"</worksheet>" % (main, sheet),
        }
    )


def billion_laughs() -> bytes:
    laughs = b'<?xml version="1.0"?><!DOCTYPE sst [<!ENTITY l0 "lol">' + LAUGHS + b"]>"
    cell = b'<row r="1"><c r="A1" t="s"><v>0</v></c></row>'
    return workbook(cell, strings=b"<si><t>&l11;</t></si>", doctype=laughs)


def two_far_cells() -> bytes:
    first = b'<row r="1"><c r="A1"><v>1</v></c></row>'
    return workbook(first + b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')


def dictionary_bomb() -> bytes:
    """One text of a megabyte, which four million rows name."""
    rows = pa.DictionaryArray.from_arrays(pa.array([0] * 4_000_000, pa.int32()), ["x" * MIB])
    file = io.BytesIO()
    pq.write_table(pa.table({"Record ID": rows, "Phone Number": rows}), file)
    return file.getvalue()


def gzip_bomb() -> bytes:
    """Ten gigabytes in a few megabytes: members may follow each other."""
    return gzip.compress(bytes(64 * MIB), compresslevel=9) * 160


def wide(columns_: int, size: int) -> bytes:
    header = HEADER.strip() + b",x" * (columns_ - 6) + b"\n"
    return header + (b"1" + b"," * (columns_ - 1) + b"\n") * (size // columns_)


# What → its name, how it is made, and MiB that it may take above its own size.
ATTACKS: dict[str, tuple[str, Callable[[], bytes], int]] = {
    "a cell of 20 MB": ("a.csv", lambda: HEADER + b'1,"' + b"x" * 20 * MIB + b'",,,,\n', 300),
    "a million columns": ("a.csv", lambda: b",".join([b"x"] * 10**6) + b"\n", 50),
    "nothing but commas": ("a.csv", lambda: wide(16_000, 80 * MIB), 700),
    "nothing but line ends": ("a.csv", lambda: HEADER + b"\n" * 80 * MIB, 700),
    "nothing but quotes": ("a.csv", lambda: HEADER + b'"' * 20 * MIB + b"\n", 700),
    "one line of 20 MB": ("a.csv", lambda: b"Name;" + b"x" * 20 * MIB, 300),
    "a page of 20 MB": ("a.csv", lambda: b"<html>" + b"<table>" * 3 * MIB, 100),
    "a gzip bomb": ("a.csv.gz", gzip_bomb, 700),
    "a ZIP bomb": ("a.zip", lambda: zipped({"contacts.csv": bytes(64 * MIB)}), 150),
    "a ZIP bomb of many files": (
        "a.zip",
        lambda: zipped({f"contacts-{n}.csv": bytes(4 * MIB) for n in range(130)}),
        700,
    ),
    "archives in archives": ("a.zip", lambda: nested(5), 50),
    "a billion laughs": ("a.xlsx", billion_laughs, 50),
    "two cells far apart": ("a.xlsx", two_far_cells, 50),
    "brackets without end": ("a.json", lambda: b"[" * 10**6, 50),
    "objects without end": ("a.json", lambda: b'[{"a":' + b'{"a":' * 10**5 + b"1", 50),
    "a text of 20 MB": ("a.json", lambda: b'[{"id":"1","x":"' + b"x" * 20 * MIB + b'"}]', 400),
    "100,000 keys": (
        "a.json",
        lambda: json.dumps([{f"k{n}": 1 for n in range(10**5)}]).encode(),
        700,
    ),
    "200,000 lists": ("a.json", lambda: b'[{"id":"1","x":[' + b"[]," * 2 * 10**5 + b"[]]}]", 200),
    "200,000 objects": ("a.json", lambda: b"[" + b"{}," * 2 * 10**5 + b"{}]", 400),
    "a card of 20 MB": (
        "a.vcf",
        lambda: b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:" + b"x" * 20 * MIB + b"\r\nEND:VCARD\r\n",
        400,
    ),
    "a dictionary bomb": ("a.parquet", dictionary_bomb, 150),
}

WHY = {
    "a cell of 20 MB": "bytes; the limit is 65,536",
    "a million columns": "the header does not end",
    "nothing but commas": "delimiters, quotes and line ends; the limit is",
    "nothing but line ends": "delimiters, quotes and line ends; the limit is",
    "a page of 20 MB": "it is an HTML page",
    "a gzip bomb": "bytes when it is unpacked; the limit is",
    "a ZIP bomb": "made to fill the memory",
    "archives in archives": "the archive has archives in it",
    "a billion laughs": "a part has a document type",
    "two cells far apart": "cells; the limit is",
    "brackets without end": "nested deeper than 16 levels",
    "objects without end": "nested deeper than 16 levels",
    "a text of 20 MB": "the limit is 65,536",
    "100,000 keys": "columns; the limit is",
    "200,000 lists": "the limit is 65,536",
    "a card of 20 MB": "the limit is 65,536",
}


@pytest.fixture(scope="module")
def ended(tmp_path_factory) -> dict:
    """How each attack ended."""
    folder = tmp_path_factory.mktemp("caps")
    good = folder / "good.csv"
    good.write_bytes(GOOD)

    def written() -> Iterator[Path]:
        for number, (name, make, _) in enumerate(ATTACKS.values()):
            file = folder / f"{number}" / name
            file.parent.mkdir()
            file.write_bytes(make())
            yield file

    huge = folder / "huge.csv"
    with huge.open("wb") as file:
        file.truncate(10 * 1024 * MIB)
    *results, of_huge = columns(good, [*written(), huge])
    found = dict(zip(ATTACKS, results, strict=True))
    worst = max(found, key=lambda what: found[what].peak)
    note("hostile exports", f"{len(ATTACKS)} refused, at most {found[worst].peak} MiB for {worst}")
    return {**found, "10 GB": of_huge}


@pytest.mark.parametrize("what", ATTACKS)
def test_24_an_export_made_to_fill_the_memory_is_refused_before_it_does(ended, what):
    assert ended[what].code == 3, ended[what].said
    assert ended[what].peak <= ATTACKS[what][2]
    assert WHY.get(what, "") in ended[what].said


def test_24_ten_gigabytes_are_not_even_opened(ended):
    assert ended["10 GB"].code == 3
    assert "10,737,418,240 bytes" in ended["10 GB"].said
    assert ended["10 GB"].peak <= 10


# ---------------------------------------------------------------------------- names in archives


LEADING_OUT = [
    "../../etc/cron.d/x",
    "..\\..\\x.csv",
    "a/../../x.csv",
    "/etc/cron.d/x",
    "\\x.csv",
    "C:\\x.csv",
    "c:x.csv",
    "\\\\host\\share\\x.csv",
    "..",
]


@pytest.mark.parametrize("name", LEADING_OUT)
def test_25_a_name_that_leads_out_refuses_the_archive_and_writes_nothing(tmp_path, name):
    packed = tmp_path / "in" / "a.zip"
    packed.parent.mkdir()
    packed.write_bytes(zipped({"contacts.csv": GOOD, name: GOOD}))
    reading = describe([packed], mapping={})
    assert any("leads out of its folder" in problem.message for problem in reading.problems)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [packed]


def test_25_a_link_in_an_archive_refuses_it(tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        link = zipfile.ZipInfo("contacts.csv")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    packed = tmp_path / "a.zip"
    packed.write_bytes(content.getvalue())
    reading = describe([packed], mapping={})
    assert any("symbolic link" in problem.message for problem in reading.problems)


@pytest.mark.parametrize("name", ["CON.csv", "nul.csv", "COM1.csv", "aux.csv", "PRN/contacts.csv"])
def test_25_a_device_name_is_a_name_like_any_other_as_nothing_is_unpacked_to_disk(tmp_path, name):
    packed = tmp_path / "a.zip"
    packed.write_bytes(zipped({name: GOOD}))
    reading = describe([packed], mapping={})
    assert (reading.problems, reading.records) == ((), 1)
    assert list(tmp_path.iterdir()) == [packed]


@pytest.mark.parametrize("name", ["../x\x1b[2J.csv", "../\u202ex.csv", "../" + "x" * 10_000])
def test_25_a_hostile_name_in_an_archive_is_shown_without_acting(tmp_path, name):
    packed = tmp_path / "a.zip"
    packed.write_bytes(zipped({name: GOOD}))
    (problem,) = describe([packed], mapping={}).problems
    assert problem.message.isprintable()
    assert len(problem.message) < 300


def test_25_a_directory_that_lies_about_its_files_is_refused(tmp_path):
    content = zipped({"contacts.csv": GOOD})
    at = content.rindex(b"PK\x01\x02")
    lying = content[: at + 42] + struct.pack("<I", 7) + content[at + 46 :]
    packed = tmp_path / "a.zip"
    packed.write_bytes(lying)
    assert describe([packed], mapping={}).problems


# ---------------------------------------------------------------------------- paths


@pytest.mark.parametrize("names", ["../../secret.txt", "/etc/passwd", "file:///etc/passwd"])
def test_26_what_a_manifest_names_is_never_opened(tmp_path, names):
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    secret = tmp_path / "secret.txt"
    secret.write_bytes(GOOD.replace(b"Doe", b"Other"))
    export = folder / "contacts.csv"
    export.write_bytes(GOOD)
    manifest = folder / "contacts.csv.manifest.json"
    manifest.write_text(json.dumps({"file": names, "rows": 1}))
    before = secret.stat().st_atime_ns
    reading = describe([export], mapping={})
    assert "Other" not in f"{reading}"
    assert secret.stat().st_atime_ns == before


def test_26_an_export_that_is_a_link_to_somewhere_else_is_not_followed(tmp_path):
    (tmp_path / "elsewhere.csv").write_bytes(GOOD)
    link = tmp_path / "contacts.csv"
    link.symlink_to(tmp_path / "elsewhere.csv")
    (problem,) = describe([link], mapping={}).problems
    assert re.search("symbolic link", problem.message)
