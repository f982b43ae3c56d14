from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import pytest

from reconcile import crm
from reconcile.errors import ExportRejected

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from reconcile.model import CrmSnapshot


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 11, 3, 2, 30, tzinfo=UTC)


class Exports(Protocol):
    """Writes an export that is `age_hours` old, and says where it is."""

    def __call__(
        self, content: bytes | str, *, name: str = ..., age_hours: float = ...
    ) -> Path: ...


@pytest.fixture
def export(tmp_path: Path, now: datetime) -> Exports:
    def write(content: bytes | str, *, name: str = "contacts.csv", age_hours: float = 1) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        written = (now - timedelta(hours=age_hours)).timestamp()
        os.utime(path, (written, written))
        return path

    return write


class Reader(Protocol):
    """Reads what the configuration would."""

    def __call__(
        self,
        content: bytes | str,
        *,
        mapping: Mapping[str, str] = ...,
        max_age_hours: float | None = ...,
        age_hours: float = ...,
    ) -> CrmSnapshot: ...


@pytest.fixture
def read(export: Exports, now: datetime) -> Reader:
    def run(
        content: bytes | str,
        *,
        mapping: Mapping[str, str] | None = None,
        max_age_hours: float | None = 26,
        age_hours: float = 1,
    ) -> CrmSnapshot:
        path = export(content, age_hours=age_hours)
        return crm.read(
            path.name,
            base=path.parent,
            mapping=mapping or {},
            now=now,
            max_age_hours=max_age_hours,
        )

    return run


class Refusal(Protocol):
    """What `read` refuses the content with."""

    def __call__(
        self, content: bytes | str, *, mapping: Mapping[str, str] = ...
    ) -> ExportRejected: ...


@pytest.fixture
def refusal(read: Reader) -> Refusal:
    def run(content: bytes | str, *, mapping: Mapping[str, str] | None = None) -> ExportRejected:
        with pytest.raises(ExportRejected) as caught:
            read(content, mapping=mapping or {})
        return caught.value

    return run


@pytest.fixture
def nobody() -> Iterator[None]:
    """Root may read everything, so a test of permissions gives that up for a while."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield
    if root:
        os.seteuid(0)
