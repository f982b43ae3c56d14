"""Reading a CRM export, wherever it is and whatever wrote it, into a CrmSnapshot."""

from reconcile.crm.read import Known, Reading, describe, known, read

__all__ = ["Known", "Reading", "describe", "known", "read"]
