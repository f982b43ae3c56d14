"""What the probe found besides the ETags: paging, limits, what a missing Id is answered.

Proofs made before don't have it, and are dropped: the next apply, or `doctor --probe`, makes new
ones.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ACCEPTANCE = ("accepted", "refused", "unproven")


def words(name: str, *values: str) -> sa.Enum:
    """Text that must be one of these."""
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True)


def upgrade() -> None:
    """Make the table of proofs anew."""
    op.drop_table("probe")
    op.create_table(
        "probe",
        sa.Column("pbx_url", sa.Text, nullable=False),
        sa.Column("pbx_version", sa.Text, nullable=False),
        sa.Column("probed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("etags", words("etags", "none", "weak", "strong"), nullable=False),
        sa.Column("etags_in", sa.Text, nullable=False),
        sa.Column("if_match", words("if_match", "enforced", "ignored", "unproven"), nullable=False),
        sa.Column("right_etag", words("right_etag", *ACCEPTANCE), nullable=False),
        sa.Column("without_etag", words("without_etag", *ACCEPTANCE), nullable=False),
        sa.Column("paging", sa.Text, nullable=False),
        sa.Column("page_cap", sa.Integer, nullable=False),
        sa.Column("missing", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("pbx_url", "pbx_version", name=op.f("pk_probe")),
    )
