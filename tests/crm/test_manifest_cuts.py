"""With a manifest or a trailer no truncation passes, not even one exactly behind a line.

What is lost then is either refused, or the proof is lost with it, and a proof that was seen once is
asked for ever after.
"""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import pytest
from amounts import amount, note
from crm.golden import GOLDENS, NOW
from crm.golden import read as read_export
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.crm import formats, manifests
from reconcile.crm.sources import Original
from reconcile.errors import ExportRejected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEADER = b"id,name,phone\n"
ROWS = tuple(b"%d,Jo Doe,+493012345%03d\n" % (i, i) for i in range(112))
WHOLE = HEADER + b"".join(ROWS)
NAME = "contacts.csv"


def manifest_of(content: bytes, records: int) -> dict[str, bytes]:
    """Every kind of manifest, by its name, that is true of an export."""
    digest, lines = hashlib.sha256(content).hexdigest(), content.count(b"\n")
    said = {
        f"{NAME}.sha256": f"{digest}  {NAME}\n",
        "contacts.sha256": digest,
        "SHA256SUMS": f"{'0' * 64}  accounts.csv\n{digest}  {NAME}\n{'1' * 64}  deals.csv\n",
        f"{NAME}.rows": f"{records}\n",
        f"{NAME}.count": f"{lines} {NAME}\n",
        f"{NAME}.lines": f"{lines}\n",
        f"{NAME}.ok": f"{records} rows\n",
        f"{NAME}.manifest": f"rows = {records}\nsha256 = {digest}\nfile = {NAME}\n",
        f"{NAME}.manifest.json": f'{{"sha256": "{digest}", "rows": {records}}}\n',
    }
    return {name: text.encode() for name, text in said.items()}


FORMS = sorted(manifest_of(WHOLE, len(ROWS)))
VANISHING = {"SHA256SUMS", f"{NAME}.ok"}
"""Of which a part may say nothing of the export, and then proves nothing."""


@cache
def table_of(content: bytes) -> formats.Table | None:
    """What is read of an export; None if it is refused."""
    try:
        table = formats.read_files([(NAME, content)])
    except ExportRejected:
        return None
    return None if table.problems else table


def proof(content: bytes, name: str, manifest: bytes) -> str | None:
    """What a run would hold for proved; None if it would refuse the export."""
    beside = Original(name=name, origin=name, content=manifest, modified_at=NOW)
    export = Original(name=NAME, origin=NAME, content=content, modified_at=NOW)
    originals = [replace(export, manifests=(beside,))]
    said, wrong = manifests.statements(originals)
    different = manifests.differences(said, originals, now=NOW, max_age_hours=26)
    table = table_of(content)
    if table is None or wrong or [*different, *manifests.miscounts(said, originals, table)]:
        return None
    return manifests.proved(said, table)


def cuts(content: bytes) -> Iterator[bytes]:
    """What is left of it when it is cut anywhere, from nothing to all."""
    return (content[:size] for size in range(len(content) + 1))


def test_cut_behind_any_line_together_with_its_manifest_cut_at_any_byte() -> None:
    """Such as an export of 11 records, and `11` of the manifest's 112."""
    tried = 0
    for name, manifest in manifest_of(WHOLE, len(ROWS)).items():
        assert proof(WHOLE, name, manifest)
        for part in cuts(manifest):
            for records in range(1, len(ROWS)):
                left = proof(HEADER + b"".join(ROWS[:records]), name, part)
                assert left is None or (left == "" and name in VANISHING), name
                tried += 1
    note(
        "an export cut behind a line, with its manifest cut at any byte", f"{tried:,}, none proved"
    )


@pytest.mark.parametrize("name", FORMS)
def test_half_a_manifest_proves_no_more_than_the_whole_of_a_whole_export(name: str) -> None:
    manifest = manifest_of(WHOLE, len(ROWS))[name]
    whole = set((proof(WHOLE, name, manifest) or "").split())
    for part in cuts(manifest):
        left = proof(WHOLE, name, part)
        assert left is None or set(left.split()) <= whole
        assert left != "" or name in VANISHING


@pytest.mark.parametrize("name", FORMS)
def test_cut_at_any_byte_an_export_is_refused(name: str) -> None:
    content = HEADER + b"".join(ROWS[:12])
    manifest = manifest_of(content, 12)[name]
    accepted = [len(part) for part in cuts(content) if proof(part, name, manifest) is not None]
    assert accepted == [len(content)]


@pytest.mark.parametrize("golden", ["hubspot-de.csv", "salesforce-bulk.ndjson", "apple-3.0.vcf"])
@pytest.mark.parametrize("kind", ["rows", "sha256"])
def test_formats_without_an_end_of_their_own_have_one_then(
    golden: str, kind: str, tmp_path: Path
) -> None:
    """These lose whole records otherwise, and nothing in the file can tell."""
    content, records = GOLDENS[golden].content, len(GOLDENS[golden].records)
    said = {"rows": f"{records}\n", "sha256": hashlib.sha256(content).hexdigest()}[kind]
    beside = {f"{golden}.{kind}": said.encode()}
    lines = [at + 1 for at, byte in enumerate(content) if byte == 0x0A]
    lost = 0
    for size in lines:
        try:
            found = read_export({golden: content[:size]}, tmp_path)
        except ExportRejected:
            continue
        lost += found.source.records < records
        (tmp_path / f"{golden}.{kind}").write_bytes(said.encode())
        if found.source.records < records:
            with pytest.raises(ExportRejected) as caught:
                read_export({golden: content[:size], **beside}, tmp_path, manifest="required")
            assert {p.code for p in caught.value.problems} == {"manifest_mismatch"}
        (tmp_path / f"{golden}.{kind}").unlink()
    assert lost


def test_cut_anywhere_a_text_with_a_trailer_is_refused_or_proves_nothing() -> None:
    content = HEADER + b"".join(ROWS[:12]) + b"#TRAILER,12\n"
    found = {len(part): table for part in cuts(content) if (table := table_of(part)) is not None}
    proved = {size: manifests.proved((), table) for size, table in found.items()}
    assert proved.pop(len(content)) == "rows"
    assert set(proved.values()) == {""}
    assert all(content[:size].endswith(b"\n") for size in proved)


# ---------------------------------------------------------------------------- whatever the records

TEXT = st.text(alphabet="aäßŁ€\"\n '#:", max_size=12)
RECORDS = st.lists(st.tuples(TEXT, TEXT), min_size=2, max_size=12)


def written(records: list[tuple[str, str]]) -> list[bytes]:
    """The rows of an export with a header, as a CRM writes them."""
    rows = [("id", "last name", "phone", "note")]
    rows += [(f"c{i}", f"x{name}", f"+4930{i:07}", text) for i, (name, text) in enumerate(records)]
    lines = []
    for row in rows:
        text = io.StringIO()
        csv.writer(text).writerow(row)
        lines.append(text.getvalue().encode())
    return lines


@settings(max_examples=amount(check=100, prove=5000), deadline=None)
@given(records=RECORDS, name=st.sampled_from(FORMS), data=st.data())
def test_whatever_the_records_a_true_manifest_passes_and_none_other(
    records: list[tuple[str, str]], name: str, data: st.DataObject
) -> None:
    header, *rows = written(records)
    content = header + b"".join(rows)
    manifest = manifest_of(content, len(rows))[name]
    assert proof(content, name, manifest)
    kept = data.draw(st.sets(st.sampled_from(range(len(rows))), max_size=len(rows) - 1), "kept")
    fewer = header + b"".join(row for at, row in enumerate(rows) if at in kept)
    assert proof(fewer, name, manifest) is None
    more = content + rows[0]
    assert proof(more, name, manifest) is None
    if b"sha256" in name.encode().lower() or b"manifest" in name.encode():
        at = data.draw(st.integers(0, len(content) - 1), "changed")
        changed = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        assert proof(changed, name, manifest) is None


@settings(max_examples=amount(check=300, prove=20000), deadline=None)
@given(
    name=st.sampled_from(FORMS),
    at=st.integers(0, 200),
    gone=st.integers(0, 3),
    put=st.one_of(st.binary(max_size=3), st.sampled_from([b"\n", b"1", b"112\n", b"{", b"\xff"])),
)
def test_whatever_a_manifest_holds_it_is_refused_or_says_what_is_so(
    name: str, at: int, gone: int, put: bytes
) -> None:
    manifest = manifest_of(WHOLE, len(ROWS))[name]
    damaged = manifest[:at] + put + manifest[at + gone :]
    proved = (proof(WHOLE, name, damaged) or "").split()
    if "sha256" in proved:
        assert hashlib.sha256(WHOLE).hexdigest().encode() in damaged.lower()
    if "rows" in proved:
        assert b"112" in damaged or b"113" in damaged
