"""The tables of the state: their columns, their types and nothing else.

Portable: a type or an option here must mean the same on SQLite and on PostgreSQL. Must never hold
a query. A change here is a new revision in `migrations/`, and a test compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    column,
)
from sqlalchemy import table as named_table

from reconcile.model import (
    Acceptance,
    ClaimOrigin,
    DeleteGuard,
    EtagKind,
    IfMatch,
    Outcome,
    ProtectionKind,
    Status,
)

if TYPE_CHECKING:
    from enum import StrEnum

    from sqlalchemy.engine import Dialect

REVISION: Final = "0004"
"""The revision of `migrations/` that these tables are; revisions are numbers of four digits."""


class Moment(TypeDecorator[datetime]):
    """A time, stored in UTC and returned aware; SQLite itself keeps no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Aware → UTC. Raises ValueError for a naive time, which could be any zone's."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone can't be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """The stored time, aware and in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Prose(TypeDecorator[str]):
    """Text for people, in which a character that no database takes becomes a question mark.

    JSON can carry half of a surrogate pair, and a name with one must not end every night's run.
    For text that decides something, such as an id, use Text: it is stored exactly or not at all.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """The text without lone surrogates (UTF-8 has none) and NULs (PostgreSQL takes none)."""
        if value is None or value.isprintable():
            return value
        return value.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")


def _words(enum: type[StrEnum], name: str) -> Enum:
    """A column that holds one of the enum's values, as text with a CHECK constraint."""
    return Enum(
        enum,
        name=name,
        native_enum=False,
        create_constraint=True,
        values_callable=lambda members: [member.value for member in members],
    )


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Every constraint has a name: Alembic can't alter a nameless one."""

state = Table(
    "state",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("pbx_url", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("serial", Integer, nullable=False, server_default="0"),
    Column("frozen_until", Moment),
    Column("frozen_by", Prose),
    Column("frozen_why", Prose),
)
"""One row: which state this is, which PBX it belongs to ("" until the first run), how often it was
written, and until when its deletes are frozen."""

run = Table(
    "run",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("command", Prose, nullable=False),
    Column("mode", String(16), nullable=False),
    Column("pbx_url", Text, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("status", _words(Status, "status")),
    Column("exit_code", Integer),
    Column("digest", String(64), nullable=False),
    Column("headline", Prose, nullable=False),
    Column("plan_digest", String(64)),
    Column("plan", Text),
    Column("planned_at", Moment),
    Index(None, "plan_digest"),
    sqlite_autoincrement=True,  # the number of a run is the name of its reports: never used twice
)

slot = Table(
    "slot",
    metadata,
    Column("moment", Moment, primary_key=True),
    Column("run_id", ForeignKey("run.id"), nullable=False, index=True),
    Column("pid", Integer, nullable=False),
    Column("host", Prose, nullable=False),
)
"""A moment of the schedule has one run: the primary key is the guard. One that died over it is
replaced by the run that takes it over."""

export = Table(
    "export",
    metadata,
    Column("run_id", ForeignKey("run.id"), primary_key=True, autoincrement=False),
    Column("sha256", String(64), nullable=False),
    Column("name", Prose, nullable=False),
    Column("generated_at", Moment, nullable=False),
    Column("accepted_at", Moment, nullable=False),
    Column("records", Integer, nullable=False),
    Column("fill", Text, nullable=False),
    Column("rules", Text, nullable=False),
    Column("history", Boolean, nullable=False),
    Column("vetoes", Integer, nullable=False),
    Column("manifest", Text, nullable=False, server_default=""),
    Column("policy", Text, nullable=False, server_default=""),
)
"""The accepted exports; `fill` and `policy` are JSON objects ("": made before they were kept)."""

claim = Table(
    "claim",
    metadata,
    Column("contact_id", Integer, primary_key=True, autoincrement=False),
    Column("crm_id", Text, nullable=False),
    Column("name", Prose, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("origin", _words(ClaimOrigin, "origin"), nullable=False),
    Column("claimed_by", Prose, nullable=False),
    Column("first_absent", Moment),
    Column("absent_exports", Integer, nullable=False),
)

tombstone = Table(
    "tombstone",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", ForeignKey("run.id"), nullable=False, index=True),
    Column("contact_id", Integer, nullable=False, index=True),
    Column("entity", Text, nullable=False),
    Column("reason", Prose, nullable=False),
    Column("crm_id", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("restored_as", Integer),
    Column("restored_at", Moment),
    sqlite_autoincrement=True,
)
"""`entity` is a JSON object; "" once it is purged."""

action = Table(
    "action",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", ForeignKey("run.id"), nullable=False, index=True),
    Column("contact_id", Integer, nullable=False, index=True),
    Column("tombstone_id", ForeignKey("tombstone.id"), nullable=False, unique=True),
    Column("guard", _words(DeleteGuard, "guard"), nullable=False),
    Column("intended_at", Moment, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("outcome", _words(Outcome, "outcome")),
    Column("detail", Prose, nullable=False),
    Column("ended_at", Moment),
    Index(None, "outcome", "ended_at"),
    sqlite_autoincrement=True,
)
"""The journal; no outcome means that the intent stands alone."""

approval = Table(
    "approval",
    metadata,
    Column("plan_run_id", ForeignKey("run.id"), primary_key=True),
    Column("run_id", ForeignKey("run.id"), nullable=False),
    Column("approved_by", Prose, nullable=False),
    Column("approved_at", Moment, nullable=False),
)
"""A plan is approved once: the primary key, the run that made it, is the guard."""

probe = Table(
    "probe",
    metadata,
    Column("pbx_url", Text, primary_key=True),
    Column("pbx_version", Text, primary_key=True),
    Column("probed_at", Moment, nullable=False),
    Column("etags", _words(EtagKind, "etags"), nullable=False),
    Column("etags_in", Text, nullable=False),
    Column("if_match", _words(IfMatch, "if_match"), nullable=False),
    Column("right_etag", _words(Acceptance, "right_etag"), nullable=False),
    Column("without_etag", _words(Acceptance, "without_etag"), nullable=False),
    Column("paging", Text, nullable=False),
    Column("page_cap", Integer, nullable=False),
    Column("missing", Text, nullable=False),
    Column("detail", Prose, nullable=False),
)

protection = Table(
    "protection",
    metadata,
    Column("kind", _words(ProtectionKind, "kind"), primary_key=True),
    Column("value", Text, primary_key=True),
    Column("created_by", Prose, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("reason", Prose, nullable=False),
)

alembic_version = named_table("alembic_version", column("version_num", String(32)))
"""Alembic's own table, for reading only."""
