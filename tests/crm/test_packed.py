from __future__ import annotations

import gzip
import io
import stat
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest

from reconcile.crm.formats import packed, read, read_files
from reconcile.errors import ExportRejected

if TYPE_CHECKING:
    from collections.abc import Mapping

JO = b"id,name,phone\n1,Jo,+49301\n"
MO = b"phone,id,name\n+49302,2,Mo\n"


def zipped(members: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def rows(content: bytes, **options: str) -> list[tuple[str, ...]]:
    table = read(content, **options)
    assert table.problems == ()
    return list(zip(*(column.to_pylist() for column in table.cells), strict=True))


def refused(content: bytes) -> tuple[str, str]:
    with pytest.raises(ExportRejected) as caught:
        read(content)
    problem = caught.value.problems[0]
    return problem.code, problem.message


def text_or_code(content: bytes) -> str:
    try:
        return read(content).text
    except ExportRejected as error:
        return error.problems[0].code


# ---------------------------------------------------------------------------- gzip


def test_a_gzip_file_is_read_as_what_is_in_it() -> None:
    table = read_files([("contacts.csv.gz", gzip.compress(JO))])
    assert table.format == 'csv; delimiter ","; gzip'
    assert table.text == JO.decode()
    assert table.parts == ()


def test_a_gzip_file_may_have_several_members() -> None:
    both = gzip.compress(JO) + gzip.compress(b"2,Mo,+49302\n") + b"\0" * 512
    assert rows(both) == [("1", "Jo", "+49301"), ("2", "Mo", "+49302")]


def test_a_zip_archive_inside_gzip_is_opened() -> None:
    table = read(gzip.compress(zipped({"contacts.csv": JO})))
    assert table.format == 'csv; delimiter ","; gzip, zip'


def test_cut_at_any_byte_a_gzip_file_is_refused() -> None:
    content = gzip.compress(JO)
    for end in range(2, len(content)):
        assert refused(content[:end])[0] == "export_truncated", end


@pytest.mark.parametrize("at", [-5, -1, 15])
def test_a_gzip_file_that_was_changed_is_refused(at: int) -> None:
    content = bytearray(gzip.compress(JO, compresslevel=0))
    content[at] ^= 1
    assert refused(bytes(content))[0] in {"export_malformed", "export_truncated"}


def test_what_follows_a_gzip_file_and_is_none_is_refused() -> None:
    assert refused(gzip.compress(JO) + b"1,Jo")[0] == "export_malformed"


@pytest.mark.parametrize("pack", [gzip.compress, lambda content: zipped({"a.csv": content})])
def test_what_unpacks_to_hundreds_of_times_its_size_is_stopped(pack: object) -> None:
    code, message = refused(pack(b"0" * (packed.RATIO_FROM + 1)))  # type: ignore[operator]
    assert code == "export_too_large"
    assert "made to fill the memory" in message


def test_a_list_of_similar_people_is_no_bomb() -> None:
    many = b"id,name,phone\n" + b"".join(b"%d,Jo,+49301\n" % i for i in range(400_000))
    assert len(many) > packed.RATIO_FROM
    assert len(rows(gzip.compress(many))) == 400_000


def test_an_archive_that_lies_about_its_size_is_stopped() -> None:
    content = bytearray(zipped({"contacts.csv": b"0" * (packed.RATIO_FROM + 1)}))
    directory = content.rindex(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = (100).to_bytes(4, "little")
    assert refused(bytes(content))[0] in {"export_too_large", "export_malformed"}


# ---------------------------------------------------------------------------- ZIP


def test_the_only_table_in_an_archive_is_read_whatever_it_is_called() -> None:
    content = zipped({"out/": b"", "out/export.csv": JO, "readme.txt": b"Hello", "logo.png": b"x"})
    table = read(content)
    assert table.format == 'csv; delimiter ","; zip; 2 files left out'
    assert table.notes == ("files that are left out: 'readme.txt', 'logo.png'",)
    assert table.parts == ("out/export.csv",)


@pytest.mark.parametrize("name", ["contacts copy.csv", "contacts_old.csv", "Contact-b.csv"])
def test_what_is_nearly_called_contacts_and_has_their_columns_is_no_matter_of_chance(
    name: str,
) -> None:
    header, _, record = JO.partition(b"\n")
    content = zipped({"contacts.csv": JO, name: header + b"\n" + record})
    assert refused(content)[0] == "export_incomplete"
    other = zipped({"contacts.csv": JO, name: b"Id,OldValue,NewValue\n1,a,b\n"})
    assert "1 files left out" in read(other).format
    broken = zipped({"contacts.csv": JO, name: b"no table"})
    assert "1 files left out" in read(broken).format


def test_of_a_backup_only_the_contacts_are_read() -> None:
    content = zipped({"Accounts_001.csv": b"x", "Contacts_001.csv": JO, "Deals_001.csv": b"y"})
    assert rows(content) == [("1", "Jo", "+49301")]


@pytest.mark.parametrize(
    "name", ["CONTACTS.CSV", "Kontakte.csv", "people.json.csv", "a/Contact (res.partner).csv"]
)
def test_contacts_have_many_names(name: str) -> None:
    assert rows(zipped({name: JO, "leads.csv": b"x"})) == [("1", "Jo", "+49301")]


@pytest.mark.parametrize("name", ["ContactRoles.csv", "contact_history.csv", "OpportunityContact"])
def test_a_table_about_contacts_is_not_the_contacts(name: str) -> None:
    assert rows(zipped({name: b"x", "contacts.csv": JO})) == [("1", "Jo", "+49301")]


def test_what_archivers_add_is_not_even_counted() -> None:
    content = zipped({"__MACOSX/._a.csv": b"\0", ".DS_Store": b"", "Thumbs.db": b"", "a.csv": JO})
    table = read(content)
    assert (table.format, table.notes) == ('csv; delimiter ","; zip', ())


def test_contacts_without_an_ending_are_contacts() -> None:
    assert rows(zipped({"contacts": JO, "readme": b"x"})) == [("1", "Jo", "+49301")]


@pytest.mark.parametrize(
    ("members", "code", "words"),
    [
        ({}, "export_wrong_format", "the archive is empty"),
        ({"readme.txt": b"x"}, "export_wrong_format", "it has 'readme.txt'"),
        ({"../contacts.csv": JO}, "export_malformed", "leads out of its folder"),
        ({"a/../../contacts.csv": JO}, "export_malformed", "leads out of its folder"),
        ({"/etc/contacts.csv": JO}, "export_malformed", "leads out of its folder"),
        ({"C:\\contacts.csv": JO}, "export_malformed", "leads out of its folder"),
        ({"..\\contacts.csv": JO}, "export_malformed", "leads out of its folder"),
        ({".": JO}, "export_malformed", "has no name"),
        ({"contacts.csv": JO, "CONTACTS.csv": MO}, "export_malformed", "two files"),
        ({"Data_001.zip": b"PK"}, "export_wrong_format", "archives in it"),
        ({"contacts_1.csv": JO, "contacts_2.csv.gz": b""}, "export_wrong_format", "archives in it"),
        ({"contacts_1.csv": JO, "contacts_2.7z": b""}, "export_wrong_format", "archives in it"),
        (
            {"contacts_1.csv": JO, "contacts_2.xls": b"\xd0\xcf\x11\xe0"},
            "export_wrong_format",
            "XLS",
        ),
        ({"contacts_1.csv": JO, "contacts_2.csv.tmp": b""}, "export_empty", "it is empty"),
        ({"a.csv": JO, "b.zip": b"PK"}, "export_wrong_format", "archives in it"),
        ({"contacts.csv": zipped({"a.csv": JO})}, "export_wrong_format", "inside an archive"),
        ({"contacts.csv": gzip.compress(JO)}, "export_wrong_format", "inside an archive"),
    ],
)
def test_an_archive_that_cant_be_trusted_or_has_no_table_is_refused(
    members: dict[str, bytes], code: str, words: str
) -> None:
    found, message = refused(zipped(members))
    assert found == code
    assert words in message


def test_an_archive_beside_named_contacts_is_left_out() -> None:
    content = zipped({"contacts.csv": JO, "attachments.zip": b"PK"})
    assert read(content).notes == ("files that are left out: 'attachments.zip'",)


def test_a_symbolic_link_in_an_archive_refuses_it() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        link = zipfile.ZipInfo("contacts.csv")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert "is a symbolic link" in refused(file.getvalue())[1]


def test_an_encrypted_archive_is_refused() -> None:
    content = bytearray(zipped({"contacts.csv": JO}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + offset] |= 1
    assert "is encrypted" in refused(bytes(content))[1]


def test_too_many_files_in_an_archive_are_refused() -> None:
    members = {f"{i}.txt": b"" for i in range(packed.MEMBERS_LIMIT + 1)}
    assert refused(zipped(members))[0] == "export_too_large"


def test_cut_at_any_byte_an_archive_is_refused() -> None:
    content = zipped({"contacts.csv": JO})
    for end in range(4, len(content)):
        assert refused(content[:end])[0] == "export_truncated", end


def test_a_changed_byte_in_a_member_is_refused() -> None:
    content = bytearray(zipped({"contacts.csv": JO}, method=zipfile.ZIP_STORED))
    content[content.index(b"+49301") + 1] ^= 1
    assert refused(bytes(content)) == (
        "export_malformed",
        "'contacts.csv' can't be unpacked: the archive is damaged",
    )


def test_a_file_without_a_name_refuses_the_archive() -> None:
    content = zipped({"x": JO, "contacts.csv": MO})
    directory = content.index(b"PK\x01\x02")
    unnamed = bytearray(content)
    unnamed[directory + 28] = 0  # the length of the name; one byte of rubbish follows instead
    unnamed[directory + 30] = 1
    assert refused(bytes(unnamed))[0] in {"export_malformed", "export_truncated"}


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_byte_is_refused_or_changes_nothing(method: int) -> None:
    content = zipped({"contacts.csv": JO}, method=method)
    begin, end = content.index(b"contacts.csv") + 12, content.index(b"PK\x01\x02")
    for at in range(begin, end):
        damaged = bytearray(content)
        damaged[at] ^= 0x55
        assert text_or_code(bytes(damaged)) in {JO.decode(), "export_malformed"}


def test_a_method_of_compression_that_nobody_has_is_refused() -> None:
    content = bytearray(zipped({"contacts.csv": JO}))
    for mark, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        content[content.index(mark) + offset] = 99
    assert refused(bytes(content))[0] == "export_malformed"


# ---------------------------------------------------------------------------- parts


def test_parts_in_an_archive_are_one_table_in_their_order() -> None:
    content = zipped({"contacts_2.csv": MO, "contacts_1.csv": JO})
    table = read(content)
    assert rows(content) == [("1", "Jo", "+49301"), ("2", "Mo", "+49302")]
    assert (table.parts, table.part.tolist()) == (("contacts_1.csv", "contacts_2.csv"), [0, 1])
    assert table.lines.tolist() == [2, 2]
    assert table.format == 'csv; delimiter ","; zip; 2 parts'


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["contacts_1.csv", "contacts_3.csv"], "part 2 is missing"),
        (["contacts_2.csv"], "part 1 is missing"),
        (["contacts_1of3.csv", "contacts_2of3.csv"], "part 3 is missing"),
        (["contacts_1of2.csv", "contacts_2of3.csv"], "different totals"),
        (["a/contacts_1.csv", "b/contacts_1.csv"], "the same number"),
        (["contacts.csv", "contacts (3).csv"], "part 2 is missing"),
        (["contacts_1.csv", "contacts_1.json"], "the same number"),
    ],
)
def test_a_part_that_is_missing_refuses_the_archive(names: list[str], words: str) -> None:
    members = {name: JO.replace(b"1,Jo", b"%d,Jo" % i) for i, name in enumerate(names)}
    code, message = refused(zipped(members))
    assert code == "export_incomplete"
    assert words in message


@pytest.mark.parametrize(
    "names",
    [
        ["contacts_0.csv", "contacts_1.csv"],
        ["contacts.csv", "contacts (1).csv"],
        ["contacts.csv", "contacts (2).csv"],
        ["contacts_1of1.csv"],
        ["people-acme-120.csv"],
        ["contacts-2026-11-24.csv"],
    ],
)
def test_numbers_without_a_gap_are_accepted(names: list[str]) -> None:
    members = {name: JO.replace(b"1,Jo", b"%d,Jo" % i) for i, name in enumerate(names)}
    assert len(rows(zipped(members))) == len(names)


def test_an_archive_is_split_over_archives() -> None:
    files = [
        ("Data_001.zip", zipped({"Contacts_001.csv": JO})),
        ("Data_002.zip", zipped({"Contacts_002.csv": MO})),
    ]
    assert read_files(files).parts == ("Contacts_001.csv", "Contacts_002.csv")
    with pytest.raises(ExportRejected, match="part 1 is missing"):
        read_files(files[1:])


def test_a_part_without_records_and_one_that_is_cut_are_named_together() -> None:
    content = zipped({"contacts_1.csv": JO, "contacts_2.csv": MO[:-1], "contacts_3.csv": b""})
    with pytest.raises(ExportRejected) as caught:
        read(content)
    assert [(p.file, p.code) for p in caught.value.problems] == [
        ("contacts_3.csv", "export_empty"),
        ("contacts_2.csv", "export_truncated"),
    ]


def test_a_header_that_a_part_lacks_refuses_all() -> None:
    content = zipped({"contacts_1.csv": JO, "contacts_2.csv": b"id,name,mobile\n2,Mo,3\n"})
    table = read(content)
    assert table.cells == ()
    assert [(p.code, p.file, p.row, p.message) for p in table.problems] == [
        ("header_unknown", "contacts_1.csv", 1, "it has no `mobile`, as the other parts have"),
        ("header_unknown", "contacts_2.csv", 1, "it has no `phone`, as the other parts have"),
    ]


def test_parts_of_two_formats_are_no_export() -> None:
    table = read(zipped({"contacts_1.csv": JO, "contacts_2.json": b'[{"id":2,"name":"x"}]'}))
    assert [(p.code, p.file) for p in table.problems] == [
        ("export_wrong_format", "contacts_2.json"),
        ("header_unknown", "contacts_2.json"),
    ]


def test_json_and_cards_have_no_header_so_a_part_may_lack_a_column() -> None:
    one = b'[{"id": 1, "name": "Jo", "phone": "+49301"}]'
    two = b'[{"id": 2, "name": "Mo"}]'
    content = zipped({"contacts_1.json": one, "contacts_2.json": two})
    assert rows(content) == [("1", "Jo", "+49301"), ("2", "Mo", "")]


def test_columns_of_one_name_are_joined_in_their_order() -> None:
    one = b"Status,name,phone,Status\na,Jo,1,b\n"
    two = b"name,Status,Status,phone\nMo,c,d,2\n"
    content = zipped({"contacts_1.csv": one, "contacts_2.csv": two})
    assert rows(content) == [("a", "Jo", "1", "b"), ("c", "Mo", "2", "d")]


# ---------------------------------------------------------------------------- a named format


@pytest.mark.parametrize("name", ["csv", "auto"])
def test_a_container_works_with_every_format(name: str) -> None:
    assert rows(gzip.compress(JO), format=name) == [("1", "Jo", "+49301")]
    assert rows(zipped({"a.csv": JO}), format=name) == [("1", "Jo", "+49301")]


@pytest.mark.parametrize("name", ["xlsx", "json", "vcard", "parquet"])
def test_a_named_format_refuses_another_and_says_what_it_is(name: str) -> None:
    with pytest.raises(ExportRejected) as caught:
        read(JO, format=name)
    (problem,) = caught.value.problems
    assert problem.message.startswith("it is a CSV file, where ")
    assert "format" in caught.value.hint


def test_headers_in_brackets_are_no_json() -> None:
    assert read(b"[Name],[Phone]\nJo,1\n").header == ("[Name]", "[Phone]")


def test_all_text_of_all_parts_is_kept_for_the_veto() -> None:
    text = read(zipped({"contacts_1.csv": JO, "contacts_2.csv": MO})).text
    assert text == (JO + MO).decode()


def test_the_checksum_of_gzip_is_of_what_comes_out() -> None:
    content = gzip.compress(JO)
    assert int.from_bytes(content[-8:-4], "little") == zlib.crc32(JO)
    assert refused(content[:-8] + b"\0\0\0\0" + content[-4:])[0] == "export_malformed"
