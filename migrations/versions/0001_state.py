"""The state as it began: runs, exports, claims, the journal, approvals, probes, protections."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

STATUS = ("clean", "waiting", "needs_approval", "blocked", "applied", "partial", "interrupted")
OUTCOME = ("deleted", "already_gone", "changed", "refused", "unconfirmed", "not_attempted")


def words(name: str, *values: str) -> sa.Enum:
    """Text that must be one of these."""
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True)


def moment() -> sa.DateTime:
    """A time in UTC."""
    return sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables, those first that others point to."""
    runs()
    what_was_learned()
    journal()
    by_hand()


def runs() -> None:
    """The state's own row, the runs, and the approvals of their plans."""
    op.create_table(
        "state",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("pbx_url", sa.Text, nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_state")),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("pbx_url", sa.Text, nullable=False),
        sa.Column("started_at", moment(), nullable=False),
        sa.Column("finished_at", moment()),
        sa.Column("status", words("status", *STATUS)),
        sa.Column("exit_code", sa.Integer),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("headline", sa.Text, nullable=False),
        sa.Column("plan_digest", sa.String(64)),
        sa.Column("plan", sa.Text),
        sa.Column("planned_at", moment()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_run_plan_digest"), "run", ["plan_digest"])
    op.create_table(
        "approval",
        sa.Column("plan_run_id", sa.Integer, nullable=False),
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("approved_by", sa.Text, nullable=False),
        sa.Column("approved_at", moment(), nullable=False),
        sa.PrimaryKeyConstraint("plan_run_id", name=op.f("pk_approval")),
        sa.ForeignKeyConstraint(
            ["plan_run_id"], ["run.id"], name=op.f("fk_approval_plan_run_id_run")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_approval_run_id_run")),
    )


def what_was_learned() -> None:
    """Accepted exports, claims, and what the probe proved."""
    op.create_table(
        "export",
        sa.Column("run_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("generated_at", moment(), nullable=False),
        sa.Column("accepted_at", moment(), nullable=False),
        sa.Column("records", sa.Integer, nullable=False),
        sa.Column("fill", sa.Text, nullable=False),
        sa.Column("rules", sa.Text, nullable=False),
        sa.Column("history", sa.Boolean, nullable=False),
        sa.Column("vetoes", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_export")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_export_run_id_run")),
    )
    op.create_table(
        "claim",
        sa.Column("contact_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("crm_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("origin", words("origin", "match", "adopt", "tag"), nullable=False),
        sa.Column("claimed_by", sa.Text, nullable=False),
        sa.Column("first_absent", moment()),
        sa.Column("absent_exports", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("contact_id", name=op.f("pk_claim")),
    )
    op.create_table(
        "probe",
        sa.Column("pbx_url", sa.Text, nullable=False),
        sa.Column("pbx_version", sa.Text, nullable=False),
        sa.Column("probed_at", moment(), nullable=False),
        sa.Column("etags", words("etags", "none", "weak", "strong"), nullable=False),
        sa.Column("if_match", words("if_match", "enforced", "ignored", "unproven"), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("pbx_url", "pbx_version", name=op.f("pk_probe")),
    )


def journal() -> None:
    """Tombstones, and the actions that point to them."""
    op.create_table(
        "tombstone",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("contact_id", sa.Integer, nullable=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("crm_id", sa.Text, nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("restored_as", sa.Integer),
        sa.Column("restored_at", moment()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tombstone")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_tombstone_run_id_run")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_tombstone_run_id"), "tombstone", ["run_id"])
    op.create_index(op.f("ix_tombstone_contact_id"), "tombstone", ["contact_id"])
    op.create_table(
        "action",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("contact_id", sa.Integer, nullable=False),
        sa.Column("tombstone_id", sa.Integer, nullable=False),
        sa.Column("guard", words("guard", "etag", "compare"), nullable=False),
        sa.Column("intended_at", moment(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("outcome", words("outcome", *OUTCOME)),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("ended_at", moment()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_action")),
        sa.UniqueConstraint("tombstone_id", name=op.f("uq_action_tombstone_id")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_action_run_id_run")),
        sa.ForeignKeyConstraint(
            ["tombstone_id"], ["tombstone.id"], name=op.f("fk_action_tombstone_id_tombstone")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_action_run_id"), "action", ["run_id"])
    op.create_index(op.f("ix_action_contact_id"), "action", ["contact_id"])
    op.create_index(op.f("ix_action_outcome_ended_at"), "action", ["outcome", "ended_at"])


def by_hand() -> None:
    """What a person protects."""
    op.create_table(
        "protection",
        sa.Column("kind", words("kind", "id", "tag", "number", "name"), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", name=op.f("pk_protection")),
    )
