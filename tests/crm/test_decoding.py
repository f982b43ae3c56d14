from __future__ import annotations

import pytest

from reconcile.crm.formats.decoding import decode
from reconcile.errors import ExportRejected

TEXT = "id;Name;Telefon\r\n1;Jürgen Größe;+49301234567\r\n"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (b"\xef\xbb\xbf" + TEXT.encode(), "utf-8-sig"),
        (TEXT.encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "utf-16"),
        (TEXT.encode("cp1252"), "cp1252"),
    ],
)
def test_every_encoding_gives_the_same_text_without_a_mark(content: bytes, encoding: str) -> None:
    assert decode(content) == (TEXT, encoding)


def test_curly_quotes_after_an_umlaut_are_windows_1252() -> None:
    text = "1;„Strauß“;„FÖ“\n"
    assert decode(text.encode("cp1252")) == (text, "cp1252")


@pytest.mark.parametrize(
    ("content", "row"),
    [
        (b"id\nJ\x81\n", 2),  # undefined in Windows-1252, broken in UTF-8
        (b"\xef\xbb\xbfid\nJ\xfcrgen\n", 2),  # the mark promised UTF-8
        ("id\nJürgen\nGröße\n".encode() + b"J\xfc\n", 4),  # one damaged byte among whole ones
        (TEXT.encode("utf-16")[:-1], None),
        (b"id\n1\0\n", 2),
        (TEXT.encode("utf-16-le"), 1),  # without its mark
    ],
)
def test_what_is_no_text_is_refused_with_its_row(content: bytes, row: int | None) -> None:
    with pytest.raises(ExportRejected) as caught:
        decode(content)
    (problem,) = caught.value.problems
    assert (problem.code, problem.row) == ("export_malformed", row)
