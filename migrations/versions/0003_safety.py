"""How often the state was written, a freeze, and what more of an accepted export is kept.

An export that was accepted before has no manifest and no known policy: neither is asked for because
of it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns; SQLite's table is made anew, to read as the program's own does."""
    anew = "always" if op.get_context().dialect.name == "sqlite" else "never"
    with op.batch_alter_table("state", recreate=anew) as state:
        state.add_column(sa.Column("serial", sa.Integer, nullable=False, server_default="0"))
        state.add_column(sa.Column("frozen_until", sa.DateTime(timezone=True)))
        state.add_column(sa.Column("frozen_by", sa.Text))
        state.add_column(sa.Column("frozen_why", sa.Text))
    with op.batch_alter_table("export", recreate=anew) as export:
        export.add_column(sa.Column("manifest", sa.Text, nullable=False, server_default=""))
        export.add_column(sa.Column("policy", sa.Text, nullable=False, server_default=""))
