"""What people write first: csv, requests, digits, and a DELETE for whoever is left. No guard.

It compares nothing but digits, so it takes `+49 30 5` and `030 5` for two numbers, and deletes
whoever was written down differently. Kept as short as such scripts are; it is what a run's time is
compared with, and nothing to be used.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path

import requests

PAGE = 100


def digits(text: str | None) -> str:
    """What remains of a number."""
    return re.sub(r"\D", "", text or "")


def main(export: str, url: str, delete: str) -> None:
    """Delete every contact that has neither a number nor an address of the export."""
    numbers, addresses = set(), set()
    with Path(export).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            numbers.add(digits(row["Phone Number"]))
            numbers.add(digits(row["Mobile Phone Number"]))
            addresses.add(row["Email"].lower())
    numbers.discard("")
    addresses.discard("")
    pbx = requests.Session()
    secret = {"client_id": "reconcile", "client_secret": "sandbox-secret"}
    form = {"grant_type": "client_credentials", **secret}
    token = pbx.post(f"{url}/connect/token", data=form, timeout=60).json()["access_token"]
    pbx.headers["Authorization"] = f"Bearer {token}"
    contacts, skip = [], 0
    while True:
        query = f"$top={PAGE}&$skip={skip}&$orderby=Id"
        page = pbx.get(f"{url}/xapi/v1/Contacts?{query}", timeout=60).json()["value"]
        contacts += page
        skip += len(page)
        if len(page) < PAGE:
            break
    orphans = []
    for contact in contacts:
        own = {digits(contact.get("Business")), digits(contact.get("PhoneNumber"))} - {""}
        if not own & numbers and (contact.get("Email") or "").lower() not in addresses:
            orphans.append(contact["Id"])
    if delete == "delete":
        for contact_id in orphans:
            pbx.delete(f"{url}/xapi/v1/Contacts({contact_id})", timeout=60)
    print(json.dumps({"contacts": len(contacts), "orphans": len(orphans)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
