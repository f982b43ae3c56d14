"""Workbooks that tests write part by part, as CRMs, Excel and the Open XML SDK do."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
STYLES = {"date": 1, "time": 2, "phone": 3}
"""Names of the cell styles that a workbook has besides the plain one."""
_STYLES = (
    f'<styleSheet xmlns="{_MAIN}"><numFmts count="2">'
    '<numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd hh:mm"/>'
    '<numFmt numFmtId="165" formatCode="[&lt;=9999999]###\\-####;\\(###\\)\\ ###\\-####"/>'
    '</numFmts><cellXfs count="4"><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/>'
    '<xf numFmtId="165"/></cellXfs></styleSheet>'
)


@dataclass(frozen=True, slots=True)
class Xml:
    """A cell as it stands in the sheet's XML, but for its place: attributes and content."""

    attributes: str
    content: str


Cell = str | float | bool | Xml | None


def error(value: str) -> Xml:
    return Xml('t="e"', f"<v>{value}</v>")


def formula(text: str, result: str) -> Xml:
    return Xml("", f"<f>{text}</f>{result}")


def dated(value: float, style: str) -> Xml:
    return Xml(f's="{STYLES[style]}"', f"<v>{value}</v>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    rows: Sequence[Sequence[Cell]] = ()
    name: str = "Contacts"
    state: str = "visible"
    before: str = ""
    """XML above the cells, such as hidden columns."""
    after: str = ""
    """XML below the cells, such as merged ones."""
    xml: str | bytes = ""
    """The whole part, in place of all that."""


def place(row: int, column: int) -> str:
    """`B3` for row 3, column 2."""
    name = ""
    while column:
        column, letter = divmod(column - 1, 26)
        name = chr(ord("A") + letter) + name
    return f"{name}{row}"


def text_xml(text: str) -> str:
    """A text in XML, which would make a line feed of every carriage return."""
    kept = escape(text).replace("\r", "&#13;")
    return f'<t xml:space="preserve">{kept}</t>'


def workbook(
    *sheets: Sheet | Sequence[Sequence[Cell]],
    shared: Sequence[str] | None = None,
    parts: Mapping[str, str | bytes | None] | None = None,
    prefix: str = "",
) -> bytes:
    """A workbook; texts stand in their cells, or, if `shared` are given, those in a part of theirs.

    `parts` replaces or adds parts, and leaves out those that are None. `prefix` is what the Open
    XML SDK puts before every element of a sheet.
    """
    listed = [s if isinstance(s, Sheet) else Sheet(rows=s) for s in sheets]
    content: dict[str, str | bytes | None] = {
        "[Content_Types].xml": _content_types(len(listed)),
        "_rels/.rels": _relations({"rId1": ("officeDocument", "xl/workbook.xml")}),
        "xl/workbook.xml": _book(listed),
        "xl/_rels/workbook.xml.rels": _relations(
            {f"rId{at}": ("worksheet", f"worksheets/sheet{at}.xml") for at in _count(listed)}
            | {"rIdT": ("sharedStrings", "sharedStrings.xml"), "rIdS": ("styles", "styles.xml")}
        ),
        "xl/styles.xml": _STYLES,
    }
    if shared is not None:
        texts = "".join(f"<si>{text_xml(text)}</si>" for text in shared)
        content["xl/sharedStrings.xml"] = f'<sst xmlns="{_MAIN}">{texts}</sst>'
    for at, sheet in enumerate(listed, start=1):
        xml = sheet.xml or sheet_xml(sheet, shared=shared or (), prefix=prefix)
        content[f"xl/worksheets/sheet{at}.xml"] = xml
    return archive(content | dict(parts or {}))


def archive(parts: Mapping[str, str | bytes | None]) -> bytes:
    """A ZIP archive of these parts; XML gets its declaration."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, part in parts.items():
            if part is not None:
                whole = part if isinstance(part, bytes) or part[:2] == "<?" else _DECLARATION + part
                file.writestr(zipfile.ZipInfo(name), whole, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def sheet_xml(sheet: Sheet, *, shared: Sequence[str] = (), prefix: str = "") -> str:
    """The part of a sheet."""
    places = {text: at for at, text in enumerate(shared)}
    x, namespace = (f"{prefix}:", f":{prefix}") if prefix else ("", "")
    rows = "".join(
        f'<{x}row r="{row}">'
        + "".join(
            _cell(cell, place(row, column), places)
            for column, cell in enumerate(cells, start=1)
            if cell is not None
        )
        + f"</{x}row>"
        for row, cells in enumerate(sheet.rows, start=1)
        if any(cell is not None for cell in cells)
    )
    if prefix:
        for name in ("c", "v", "is", "t"):
            rows = rows.replace(f"<{name}>", f"<{x}{name}>").replace(f"<{name} ", f"<{x}{name} ")
            rows = rows.replace(f"</{name}>", f"</{x}{name}>")
    return (
        f'<{x}worksheet xmlns{namespace}="{_MAIN}">{sheet.before}<{x}sheetData>{rows}'
        f"</{x}sheetData>{sheet.after}</{x}worksheet>"
    )


def _cell(cell: Cell, ref: str, shared: Mapping[str, int]) -> str:
    match cell:
        case Xml(attributes, content):
            return f'<c r="{ref}" {attributes}>{content}</c>'
        case bool():
            return f'<c r="{ref}" t="b"><v>{int(cell)}</v></c>'
        case str() if cell in shared:
            return f'<c r="{ref}" t="s"><v>{shared[cell]}</v></c>'
        case str():
            return f'<c r="{ref}" t="inlineStr"><is>{text_xml(cell)}</is></c>'
        case _:
            return f'<c r="{ref}"><v>{cell!r}</v></c>'


def _count(sheets: Sequence[Sheet]) -> range:
    return range(1, len(sheets) + 1)


def _book(sheets: Sequence[Sheet]) -> str:
    listed = "".join(
        f'<sheet name={quoteattr(sheet.name)} sheetId="{at}" state="{sheet.state}" r:id="rId{at}"/>'
        for at, sheet in enumerate(sheets, start=1)
    )
    return f'<workbook xmlns="{_MAIN}" xmlns:r="{_LINKS}"><sheets>{listed}</sheets></workbook>'


def _relations(targets: Mapping[str, tuple[str, str]]) -> str:
    links = "".join(
        f'<Relationship Id="{key}" Type="{_LINKS}/{kind}" Target="{target}"/>'
        for key, (kind, target) in targets.items()
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{links}</Relationships>'


def _content_types(sheets: int) -> str:
    parts = {"/xl/workbook.xml": "sheet.main"}
    parts |= {f"/xl/worksheets/sheet{at}.xml": "worksheet" for at in range(1, sheets + 1)}
    listed = "".join(
        f'<Override PartName="{part}" ContentType="{_TYPES}.{kind}+xml"/>'
        for part, kind in parts.items()
    )
    relations = f"{_PACKAGE.replace('http://schemas.', 'application/vnd.')}.relationships+xml"
    return (
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels"'
        f' ContentType="{relations}"/><Default Extension="xml" ContentType="application/xml"/>'
        f"{listed}</Types>"
    )
