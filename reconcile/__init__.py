"""Keeps a 3CX phone system's contacts in step with a CRM."""

__version__ = "0.1.0"
