"""The state: what was seen, planned and done, in SQLite through SQLAlchemy."""
