"""Evidence in words: why a contact is taken for somebody in the CRM, as one sentence each.

They are read by people who never saw the program: by whoever signs the report, and by whoever asks
why a contact is still there. So they say what was compared and with which record, and claim no
more than was proved.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import phonenumbers

if TYPE_CHECKING:
    from reconcile.model import Proof


def sentence(proof: Proof, name: str = "") -> str:
    """`number +49 30 1234567 belongs to CRM record 4711, and the names agree`.

    `name` is the contact's own. The record's is said only where it reads differently, or where the
    record has no id to be found by.
    """
    if not proof.crm_row:
        return f"{_key(proof)} alone proves nothing: {proof.why}"
    record = _record(proof, name)
    if proof.kind == "name_company":
        return f"its name and its company are those of {record}"
    if proof.kind == "name":
        return f"it may be {record}: {proof.why}, and nothing else fits"
    return f"{_link(proof, record)}, {proof.why}"


@lru_cache(maxsize=1024)
def number(key: str) -> str:
    """A match key as people write it: `+49 30 1234567`; what is no such key stays as it is."""
    try:
        parsed = phonenumbers.parse(key)
    except phonenumbers.NumberParseException:
        return key
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def _key(proof: Proof) -> str:
    if proof.kind == "email":
        return f"e-mail {proof.key}"
    return f"number {number(proof.key)}"


def _record(proof: Proof, name: str) -> str:
    """Which record it is: by its id, or by its line, of whichever file."""
    row = f"row {proof.crm_row}" + (f" of {proof.crm_part}" if proof.crm_part else "")
    record = f"CRM record {proof.crm_id}" if proof.crm_id else f"the record in {row}"
    told = proof.crm_id and proof.crm_name.casefold() == name.casefold()
    return f"{record} ({proof.crm_name})" if proof.crm_name and not told else record


def _link(proof: Proof, record: str) -> str:
    if proof.kind == "claim":
        return f"its {record} is still in the CRM"
    if proof.kind == "crm_id":
        return f"its tag {proof.key} stands for {record}"
    if proof.shared:
        return f"{_key(proof)} is not one person's alone; {record} has it"
    return f"{_key(proof)} belongs to {record}"
