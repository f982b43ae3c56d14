"""Books that hypothesis invents.

The CRM's and the PBX's sides of one book are derived from it by edits, because two independent
books would never come near a delete.
"""

from __future__ import annotations

import builders as b
from hypothesis import strategies as st

FIRST = ["Ann", "Bob", "Eve", "J.", "Jo", ""]
LAST = ["Lee", "Ray", "Müller", "Mueller", ""]
NUMBERS = ["030 1111111", "+49301111111", "0151 2222222", "030 3333333", "n/a", "110", ""]
MAILS = ["ann@x.de", "Ann+crm@x.de", "info@x.de", ""]

people = st.fixed_dictionaries(
    {
        "first": st.sampled_from(FIRST),
        "last": st.sampled_from(LAST),
        "phone": st.sampled_from(NUMBERS),
        "mobile": st.sampled_from(NUMBERS),
        "email": st.sampled_from(MAILS),
        "company": st.sampled_from(["ACME GmbH", "Acme", "Umbrella", ""]),
        "in_crm": st.sampled_from(["yes", "no", "gone", "merged"]),
        "in_pbx": st.sampled_from(["yes", "no", "edited"]),
        "claimed": st.booleans(),
        "type": st.sampled_from(["3CX", "3CX", "3CX", "M365", ""]),
        "tag": st.sampled_from(["", "owned", "1", "2"]),
    }
)


def derive(book):
    """The two sides and the claims of a book."""
    records = [
        {
            "id": str(at),
            "first_name": person["first"],
            "last_name": person["last"],
            "phone": person["phone"],
            "mobile": person["mobile"],
            "email": person["email"],
            "company": person["company"],
            "gone": person["in_crm"] in {"gone", "merged"},
            "merged_into": str((at + 1) % len(book)) if person["in_crm"] == "merged" else "",
        }
        for at, person in enumerate(book)
        if person["in_crm"] != "no"
    ]
    contacts = [
        {
            "Id": at + 1,
            "FirstName": person["first"],
            "LastName": person["last"],
            "PhoneNumber": person["phone"],
            "Home": person["mobile"] if person["in_pbx"] == "yes" else "030 4444444",
            "Email": person["email"],
            "CompanyName": person["company"],
            "ContactType": person["type"],
            "Tag": person["tag"],
        }
        for at, person in enumerate(book)
        if person["in_pbx"] != "no"
    ]
    pbx = b.pbx(*contacts)
    claims = {
        pbx.ids[at]: b.claim(pbx.contact(at), crm_id=str(pbx.ids[at] - 1))
        for at in range(len(pbx))
        if book[pbx.ids[at] - 1]["claimed"]
    }
    return b.crm(*records), pbx, claims
