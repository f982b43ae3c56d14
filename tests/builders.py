"""Small snapshots, written as a test reads them."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd

from reconcile.model import Claim, Contact, CrmSnapshot, ExportColumn, ExportSource, PbxSnapshot

NOW = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)
_SINGLE = {
    "id": "",
    "first_name": "",
    "last_name": "",
    "full_name": "",
    "company": "",
    "country": "",
    "company_country": "",
    "part": "",
    "merged_into": "",
}


def crm(*records: dict, text: str | None = None, sha256: str = "a" * 64) -> CrmSnapshot:
    """A CRM snapshot; `phone`, `mobile`, `email`, `main` become their columns."""
    names = {
        "phone": "phone:Phone",
        "mobile": "phone:Mobile",
        "email": "email:Email",
        "main": "shared_phone:Main",
    }
    rows = [
        {**_SINGLE, "gone": False, "row": at + 2, **{names.get(k, k): v for k, v in r.items()}}
        for at, r in enumerate(records)
    ]
    frame = pd.DataFrame(rows, columns=None if rows else [*_SINGLE, "gone", "row"])
    texts = [c for c in frame.columns if c not in {"row", "gone"}]
    frame[texts] = frame[texts].fillna("").astype("str")
    return CrmSnapshot(
        source=source(rows=len(rows), gone=sum(r["gone"] for r in rows), sha256=sha256),
        records=frame,
        text=frame[texts].to_csv(index=False) if text is None else text,
    )


def source(
    *,
    rows: int = 100,
    gone: int = 0,
    sha256: str = "a" * 64,
    generated_at: datetime = NOW,
    columns: tuple[ExportColumn, ...] = (ExportColumn(header="Phone", reads_as="phone"),),
) -> ExportSource:
    """The evidence of an export."""
    return ExportSource(
        name="contacts.csv",
        format="csv",
        encoding="utf-8",
        sha256=sha256,
        content=sha256,
        size=1000,
        generated_at=generated_at,
        rows=rows,
        gone=gone,
        columns=columns,
    )


def pbx(*contacts: dict, etag: str = 'W/"1"') -> PbxSnapshot:
    """A PBX snapshot from OData properties; ContactType is 3CX unless said otherwise."""
    rows = [{"ContactType": "3CX", **c} for c in contacts]
    names = sorted({name for row in rows for name in row if name != "Id"})
    return PbxSnapshot(
        url="https://pbx.example.com",
        version="20.0.9.995",
        read_at=NOW,
        ids=tuple(row["Id"] for row in rows),
        etags=(etag,) * len(rows),
        columns={name: tuple(row.get(name, "") for row in rows) for name in names},
    )


def contact(contact_id: int = 1, **fields: str) -> Contact:
    """One contact, of type 3CX."""
    return Contact(id=contact_id, fields={"ContactType": "3CX", **fields}, etag='W/"1"')


def claim(of: Contact, *, crm_id: str = "4711", **changes: object) -> Claim:
    """A claim on the contact as it is."""
    values = {
        "contact_id": of.id,
        "crm_id": crm_id,
        "name": of.name,
        "fingerprint": of.fingerprint,
        **changes,
    }
    return Claim(**values)
