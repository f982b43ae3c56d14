"""Reading a CRM export, wherever it is and whatever wrote it, into a CrmSnapshot."""

from reconcile.crm.read import Reading, describe, read

__all__ = ["Reading", "describe", "read"]
