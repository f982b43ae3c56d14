"""Alembic's entry: runs the pending revisions on the connection that it is given.

Must never open a connection of its own: with the driver's own transactions a revision that fails
would leave half a schema behind that can never be upgraded.
"""

from __future__ import annotations

from alembic import context
from alembic.util import CommandError

from reconcile.store.tables import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    raise CommandError("The state is upgraded only by: reconcile db upgrade")

# The transaction is the caller's, so Alembic neither begins nor commits one.
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
context.run_migrations()
