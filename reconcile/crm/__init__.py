"""Reading a CRM export, wherever it is and whatever wrote it, into a CrmSnapshot."""
