"""Which run has which slot: a run of a job is due once at each moment that its schedule names."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the table; the slots of runs before are known by when those began."""
    op.create_table(
        "slot",
        sa.Column("moment", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("moment", name=op.f("pk_slot")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_slot_run_id_run")),
    )
    op.create_index(op.f("ix_slot_run_id"), "slot", ["run_id"])
