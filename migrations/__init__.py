"""The schema's history, one revision after another; installed as `reconcile.migrations`.

Run only by `reconcile.store.migrate`, in one transaction, after a backup. A revision is written by
hand, numbered with four digits, imports nothing of ours (the tables of tomorrow are not those of
its day), and knows no way back: what went wrong is undone by the backup.

SQLite alters a table by replacing it, and Alembic's batch mode doesn't know a table's CHECK
constraints and AUTOINCREMENT: say them again in `table_args` and `table_kwargs`. A test compares
the migrated state with the tables of the program, letter by letter.
"""
