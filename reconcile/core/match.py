"""The diff, in pandas: CrmSnapshot x PbxSnapshot x claims → evidence per contact.

Both sides become long tables of match keys (position, kind, key) and are joined on them; a cell is
parsed once per distinct value. Blank keys never enter a table, so they can't join each other.
Shared keys, carried by two or more people of the CRM, are joined by key *and* a word of the name:
a switchboard of 5,000 people would otherwise give 25 million pairs.

Proofs are asymmetric: one strong one keeps a contact; its deletion needs absence on all keys, and
is not decided here but in `core.plan`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc

from reconcile.core import countries, namesakes, phone_columns, phones
from reconcile.core.text import (
    Agreement,
    addresses,
    agreement,
    company_key,
    is_role,
    is_word,
    name_key,
)
from reconcile.model import (
    NUMBER_FIELDS,
    Claim,
    CrmSnapshot,
    Drift,
    Duplicate,
    Evidence,
    Matching,
    MissingRecord,
    PbxSnapshot,
    Proof,
    Strength,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

VERSION: Final = "2"
"""Raised with every change that can move a key; a plan made under another one needs approval."""

_KINDS: Final = ("claim", "crm_id", "email", "number", "name_company", "short", "name")
"""From the best proof to the least."""
_OWN: Final = ("email", "number")
"""The kinds that a person carries, and may share."""
_COMMON: Final = 50
"""So many carriers of one key with the same word in their names: the word tells nobody apart."""
_KEYED: Final = {"phone": "number", "email": "email"}
"""Canonical column → the kind of key that its values give."""
_PLAIN_ADDRESS: Final = r"[A-Za-z0-9_%\-][A-Za-z0-9._%\-]*@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+"
_SPELLINGS: Final = 4
"""So many names may be those of one person."""
_SHOWN: Final = 5
"""Proofs kept for one contact."""

_SENTENCES: Final = {
    Agreement.SAME: "and the names agree",
    Agreement.COMPATIBLE: "and the names agree",
    Agreement.INITIALS: "and the initials agree",
    Agreement.PARTIAL: "but the names agree only in part",
    Agreement.UNKNOWN: "but one of the two has no name",
    Agreement.CONFLICT: "but the names differ",
}
_STRONG_SENTENCES: Final = {
    Agreement.PARTIAL: "and the first names agree, though the surnames differ",
    Agreement.UNKNOWN: "and the company is the same, though one of the two has no name",
}
"""What makes a number a proof all the same."""
_NAME_SENTENCES: Final = {
    Agreement.SAME: "the names are the same",
    Agreement.COMPATIBLE: "the names agree",
    Agreement.INITIALS: "the initials agree",
    Agreement.PARTIAL: "the company is the same, and a part of the names",
    Agreement.UNKNOWN: "the company is the same",
}
"""Of a contact of which nothing else is left."""


def match(
    crm: CrmSnapshot,
    pbx: PbxSnapshot,
    claims: Mapping[int, Claim],
    *,
    region: str,
    outside_prefix: str = "",
    owner_tag: str = "",
) -> Matching:
    """Compare everything with everything; see the module's docstring for how.

    `region` (ISO 3166 alpha-2) is for numbers without a country code, beside the record's own;
    `outside_prefix` is what the PBX stores before the numbers that it dials. Contacts with the
    `owner_tag` count as claimed.
    """
    people = _people(crm.records)
    contacts = _contacts(pbx)
    crm_keys = _crm_keys(crm.records, people, region)
    pbx_keys = _pbx_keys(pbx, contacts, region, outside_prefix)
    reused = _reused_ids(pbx, contacts, claims)
    met = crm_keys[_among(crm_keys["key"], pbx_keys["key"])].reset_index(drop=True)
    met = _mark_shared(met, people, _main_numbers(crm.records, region))
    by_key, mute = _key_pairs(met, pbx_keys, people, contacts)
    by_id = [_claim_pairs(people, contacts, claims, reused), _tag_pairs(people, pbx)]
    pairs = _judged(pd.concat([*by_id, by_key], ignore_index=True), people, contacts)
    left = _Left(
        contacts=contacts.drop(_chosen(pairs).index),
        people=_named_alive(people),
        taken=pairs.loc[pairs["strength"] == Strength.STRONG, "row"],
        claims=claims,
        tagged=_with_tag(pbx, owner_tag),
    )
    by_name = pd.concat([_name_pairs(left), _merged_pairs(left)], ignore_index=True)
    pairs = pd.concat([pairs, _judged(by_name, people, contacts)], ignore_index=True)
    found = _Found(people, contacts, crm_keys, met, pbx_keys, pairs, _chosen(pairs), mute)
    state = _record_states(found)
    return Matching(
        evidence=_evidence(found, reused),
        counts_crm={"read": len(people), **{s: int((state == s).sum()) for s in _STATES}},
        missing=_missing(people, state),
        duplicates=_duplicates(found),
        drift=_drift(found),
        fill=_fill(crm.records, crm_keys),
    )


_STATES: Final = ("matched", "missing", "gone", "without_number")


@dataclass(frozen=True, slots=True)
class _Found:
    """What the join gave; tables are indexed by position (`at` of a contact, `row` of a record)."""

    people: pd.DataFrame
    contacts: pd.DataFrame
    crm_keys: pd.DataFrame
    met: pd.DataFrame
    """Those of them that a contact has, too, and whether several people share each."""
    pbx_keys: pd.DataFrame
    pairs: pd.DataFrame
    chosen: pd.DataFrame
    mute: frozenset[int]
    """Contacts with a shared key whose names can't tell its carriers apart."""


# ---------------------------------------------------------------------------- the two sides


def _once(values: pd.Series[str], parse: Callable[[str], str]) -> pd.Series[str]:
    """Map a text column, calling `parse` once per distinct value."""
    known = {value: parse(value) for value in values.unique()}
    return values.map(known).astype("str")


def _people(records: pd.DataFrame) -> pd.DataFrame:
    """One row per record: id, line, name as shown, comparable name and company, gone, country."""
    joined = records["first_name"].str.cat(records["last_name"], sep=" ").str.strip()
    full = records["full_name"]
    shown = joined.where(joined.str.len() >= full.str.len(), full)
    return pd.DataFrame(
        {
            "crm_id": records["id"],
            "line": records["row"],
            "part": records.get("part", ""),
            "shown": shown,
            "name": _once(shown, name_key),
            "first": _once(records["first_name"], name_key),
            "company_shown": records["company"],
            "company": _once(records["company"], company_key),
            "merged_into": records["merged_into"],
            "gone": records["gone"].astype("bool"),
        }
    ).reset_index(drop=True)


def _contacts(pbx: PbxSnapshot) -> pd.DataFrame:
    """One row per contact: Id, name as shown, comparable name and company."""
    first, last = pd.Series(pbx.column("FirstName")), pd.Series(pbx.column("LastName"))
    shown = first.astype("str").str.cat(last.astype("str"), sep=" ").str.strip()
    company = pd.Series(pbx.column("CompanyName")).astype("str")
    return pd.DataFrame(
        {
            "id": pd.Series(pbx.ids, dtype="int64"),
            "shown": shown,
            "name": _once(shown, name_key),
            "first": _once(first.astype("str"), name_key),
            "company_shown": company,
            "company": _once(company, company_key),
        }
    )


def _cells(columns: Mapping[str, pd.Series[str]]) -> pd.DataFrame:
    """Several text columns → one long table (at, value) of the cells that have a value."""
    parts = [s[s != ""].rename("value").rename_axis("at").reset_index() for s in columns.values()]
    if not parts:
        return pd.DataFrame({"at": pd.Series(dtype="int64"), "value": pd.Series(dtype="str")})
    return pd.concat(parts, ignore_index=True)


def _emails(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells (at, value) → keys (at, kind, value, key); see `text.addresses`.

    Nearly every cell is one address without anything to undo: its key is its lower case.
    """
    codes, distinct = pd.factorize(cells["value"])
    values = pd.Series(distinct, dtype="str")
    plain = values.str.fullmatch(_PLAIN_ADDRESS) & ~values.str.contains("googlemail", case=False)
    slow = [(code, key) for code, v in values[~plain].items() for key in addresses(v)]
    code, key = zip(*slow, strict=True) if slow else ((), ())
    found = pd.concat(
        [
            values[plain].str.lower(),
            pd.Series(key, index=pd.Index(code, dtype="int64"), dtype="str"),
        ]
    ).sort_index(kind="stable")
    keys = _spread(cells, codes, found.index.to_numpy(), found)
    return keys.assign(kind="email")[["at", "kind", "value", "key"]]


def _numbers(cells: pd.DataFrame, outside_prefix: str = "") -> pd.DataFrame:
    """Cells (at, value, region) → keys (at, kind, value, key), also those compared as text."""
    parts = []
    for region in cells["region"].unique():
        same = cells[cells["region"] == region]
        codes, distinct = pd.factorize(same["value"])
        table = phone_columns.keys_or_text(
            pa.array(distinct, pa.large_string()), region, outside_prefix=outside_prefix
        )
        key = pd.Series(table["key"].to_pandas(), dtype="str")
        parts.append(_spread(same, codes, table["cell"].to_numpy(), key))
    if not parts:
        return pd.DataFrame(columns=["at", "kind", "value", "key"]).astype({"at": "int64"})
    keys = pd.concat(parts, ignore_index=True)
    keys = keys if len(parts) == 1 else keys.drop_duplicates()
    keys["kind"] = keys["key"].str.startswith(phones.SHORT).map({True: "short", False: "number"})
    return keys[["at", "kind", "value", "key"]]


def _spread(
    cells: pd.DataFrame, codes: NDArray[np.int64], code: NDArray[np.int64], key: pd.Series[str]
) -> pd.DataFrame:
    """Each cell once per key of its value. `code` is in order, and says whose key each one is."""
    first = np.searchsorted(code, codes, side="left")
    count = np.searchsorted(code, codes, side="right") - first
    row = np.repeat(np.arange(len(codes)), count)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    return pd.DataFrame(
        {
            "at": cells["at"].to_numpy()[row],
            "value": cells["value"].array.take(row),
            "key": key.array.take(first[row] + nth),
        }
    ).drop_duplicates()


def _with_regions(cells: pd.DataFrame, written: pd.Series[str], region: str) -> pd.DataFrame:
    """Each number once for the configured region and once for its record's own country.

    Both readings are kept: when the two differ and the number has no plus, either may be meant.
    `written` is the country as it is typed; one that is not known adds nothing.
    """
    regions = {c: countries.alpha2(c) for c in written.unique()}
    supported = {c: r for c, r in regions.items() if r in phonenumbers.SUPPORTED_REGIONS}
    own = cells.assign(region=cells["at"].map(written.map(supported)))
    return pd.concat([cells.assign(region=region), own.dropna(subset="region")]).drop_duplicates()


def _countries(records: pd.DataFrame) -> pd.Series[str]:
    """The country of each record, or else that of its company."""
    own = records["country"]
    return own.where(own != "", records.get("company_country", ""))


def _among(keys: pd.Series[str], others: pd.Series[str]) -> NDArray[np.bool_]:
    """Which keys are also among the others; pandas' `isin` makes Python objects of all of them."""
    found = pc.is_in(
        pa.array(keys, pa.large_string()), value_set=pa.array(others, pa.large_string())
    )
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype="bool")


def _name_company(side: pd.DataFrame) -> pd.DataFrame:
    """The key made of a name and a company, where there are both."""
    both = side[(side["name"] != "") & (side["company"] != "")]
    key = both["name"].str.cat(both["company"], sep=" @ ")
    return pd.DataFrame({"at": both.index, "kind": "name_company", "value": key, "key": key})


def _crm_keys(records: pd.DataFrame, people: pd.DataFrame, region: str) -> pd.DataFrame:
    """All keys of the export: at, kind, value, key, gone."""
    records = records.reset_index(drop=True)
    columns = {kind: _columns(records, f"{kind}:") for kind in ("phone", "shared_phone", "email")}
    numbers = pd.concat([_cells(columns["phone"]), _cells(columns["shared_phone"])])
    numbers = _with_regions(numbers, _countries(records), region)
    keys = pd.concat(
        [
            _numbers(numbers),
            _emails(_cells(columns["email"])),
            _name_company(people),
        ],
        ignore_index=True,
    )
    return keys.assign(gone=people["gone"].to_numpy()[keys["at"]])


def _main_numbers(records: pd.DataFrame, region: str) -> set[str]:
    """The keys of companies' main numbers."""
    records = records.reset_index(drop=True)
    cells = _cells(_columns(records, "shared_phone:"))
    return set(_numbers(_with_regions(cells, _countries(records), region))["key"])


def _columns(records: pd.DataFrame, prefix: str) -> dict[str, pd.Series[str]]:
    return {str(c): records[c] for c in records.columns if str(c).startswith(prefix)}


def _mark_shared(keys: pd.DataFrame, people: pd.DataFrame, main_numbers: set[str]) -> pd.DataFrame:
    """Shared: two or more people of the CRM carry it, or it is nobody's own by its nature.

    Records whose names agree count as one person; a record without a name counts as its own.
    """
    by_kind = keys.groupby(["kind", "key"], sort=False).ngroup()
    carried = keys[~keys["gone"] & keys["kind"].isin(_OWN)]
    pairs = pd.DataFrame(
        {"group": by_kind[carried.index], "name": carried["at"].map(people["name"])}
    )
    nameless = pairs["name"] == ""
    pairs["person"] = pd.factorize(pairs["name"])[0]
    pairs.loc[nameless, "person"] = -1 - carried.loc[nameless, "at"]
    carriers = _carriers(pairs.drop_duplicates(["group", "person"]), len(keys))
    keys = keys.assign(carriers=carriers[by_kind.to_numpy(dtype="int64")])
    roles = {k for k in keys.loc[keys["kind"] == "email", "key"].unique() if is_role(k)}
    keys["shared"] = (
        (keys["carriers"] > 1)
        | ((keys["kind"] == "number") & keys["key"].isin(main_numbers))
        | ((keys["kind"] == "email") & keys["key"].isin(roles))
        | (keys["kind"] == "short")
    )
    return keys


def _carriers(pairs: pd.DataFrame, groups: int) -> NDArray[np.int64]:
    """People per group, 1 where a few names are all spellings of one: CRMs have duplicates."""
    count = np.bincount(pairs["group"].to_numpy(dtype="int64"), minlength=groups)
    size = count[pairs["group"].to_numpy(dtype="int64")]
    few = pairs[(size > 1) & (size <= _SPELLINGS)]
    # a record without a name is nobody whose name could agree
    names = few["name"].where(few["name"] != "", "#" + few["person"].astype("str"))
    known: dict[tuple[str, ...], bool] = {}
    for group, spelt in names.groupby(few["group"]).agg(tuple).items():
        if spelt not in known:
            known[spelt] = _is_one_person(spelt)
        if known[spelt]:
            count[group] = 1
    return count


def _is_one_person(names: Iterable[str]) -> bool:
    return all(agreement(a, b) >= Agreement.COMPATIBLE for a, b in combinations(names, 2))


def _pbx_keys(
    pbx: PbxSnapshot, contacts: pd.DataFrame, region: str, outside_prefix: str
) -> pd.DataFrame:
    """All keys of the PBX: at, kind, value, key. The fax is no key."""
    numbers = {n: pd.Series(pbx.column(n)).astype("str") for n in NUMBER_FIELDS}
    email = {"Email": pd.Series(pbx.column("Email")).astype("str")}
    return pd.concat(
        [
            _numbers(_cells(numbers).assign(region=region), outside_prefix),
            _emails(_cells(email)),
            _name_company(contacts),
        ],
        ignore_index=True,
    )


# ---------------------------------------------------------------------------- pairs

_PAIR: Final = ("at", "row", "kind", "key", "shared")


def _reused_ids(pbx: PbxSnapshot, contacts: pd.DataFrame, claims: Mapping[int, Claim]) -> set[int]:
    """Positions whose claim was made for another person: the Id was given to somebody else.

    Unchanged content is the same person. Once it has changed, the names must still agree: a new
    surname looks like a new person, and is kept as one.
    """
    claimed = contacts[contacts["id"].isin(list(claims))]
    shown = claimed["shown"].where(claimed["shown"] != "", claimed["company_shown"])
    return {
        int(at)
        for at, contact_id, name in zip(claimed.index, claimed["id"], shown, strict=True)
        if agreement(name_key(name), name_key(claims[contact_id].name)) < Agreement.INITIALS
        and pbx.contact(int(at)).fingerprint != claims[contact_id].fingerprint
    }


def _alive_ids(people: pd.DataFrame) -> dict[str, int]:
    """CRM id → position of the living record it stands for; merged ids lead to their master."""
    has_id = people[people["crm_id"] != ""]
    alive = has_id[~has_id["gone"]]
    known = dict(zip(alive["crm_id"], alive.index, strict=True))
    merged = has_id[has_id["gone"] & (has_id["merged_into"] != "")]
    masters = dict(zip(merged["crm_id"], merged["merged_into"], strict=True))
    for crm_id in masters:
        target, seen = crm_id, set[str]()
        while target in masters and target not in seen:
            seen.add(target)
            target = masters[target]
        if target in known:
            known[crm_id] = known[target]
    return known


def _claim_pairs(
    people: pd.DataFrame, contacts: pd.DataFrame, claims: Mapping[int, Claim], reused: set[int]
) -> pd.DataFrame:
    """Contacts whose claimed record is alive."""
    crm_ids = {contact_id: claim.crm_id for contact_id, claim in claims.items() if claim.crm_id}
    row = contacts["id"].map(crm_ids).map(_alive_ids(people))
    row = row[~row.index.isin(reused)].dropna().astype("int64")
    key = people["crm_id"].reindex(row).to_numpy()
    return pd.DataFrame(
        {"at": row.index, "row": row.to_numpy(), "kind": "claim", "key": key, "shared": False}
    )


def _with_tag(pbx: PbxSnapshot, owner_tag: str) -> pd.Series[bool]:
    """Position → whether the contact has the owner tag; nobody has an empty one."""
    return pd.Series(pbx.column("Tag")).astype("str").eq(owner_tag) & (owner_tag != "")


def _tag_pairs(people: pd.DataFrame, pbx: PbxSnapshot) -> pd.DataFrame:
    """Contacts whose Tag is the id of a living record, as integrators write it there."""
    tags = pd.Series(pbx.column("Tag")).astype("str").str.strip()
    row = tags[tags != ""].map(_alive_ids(people)).dropna().astype("int64")
    key = tags.reindex(row.index).to_numpy()
    return pd.DataFrame(
        {"at": row.index, "row": row.to_numpy(), "kind": "crm_id", "key": key, "shared": False}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """Contacts without a strong proof, and who may still be one of them."""

    contacts: pd.DataFrame
    people: pd.DataFrame
    """The living with a name, with what a code page left of it, or with a company."""
    taken: pd.Series[int]
    """Rows of records that are another contact's."""
    claims: Mapping[int, Claim]
    tagged: pd.Series[bool]

    @property
    def sought(self) -> Iterator[namesakes.Sought]:
        """Those with a name or a company."""
        named = self.contacts[(self.contacts["name"] != "") | (self.contacts["company"] != "")]
        for at, contact_id, name, company, first, shown, tagged in zip(
            named.index,
            named["id"],
            named["name"],
            named["company"],
            named["first"],
            named["shown"],
            self.tagged[named.index],
            strict=True,
        ):
            least = _least(self.claims.get(contact_id), tagged=tagged)
            lost = namesakes.lost(shown)
            yield namesakes.Sought(int(at), name, company, first, least, lost)

    def near(self, sought: Iterable[namesakes.Sought]) -> Iterator[namesakes.Person]:
        """Who may fit one of them: with a word of a name, or in the company of one without."""
        names = pd.Series([s.name for s in sought if s.name], dtype="str")
        companies = {s.company for s in sought if not s.name}
        found = _with_a_word_of(names, self.people) | self.people["company"].isin(companies)
        people = self.people[found]
        free = ~people.index.isin(self.taken)
        columns = (people[name] for name in ("name", "company", "first"))
        return map(namesakes.Person, people.index, *columns, free)


def _named_alive(people: pd.DataFrame) -> pd.DataFrame:
    """Living records with a name or company; a name without a letter left as what it looks like."""
    lost = (people["name"] == "") & people["shown"].str.contains("?", regex=False)
    named = people.assign(name=people["name"].where(~lost, people["shown"]))
    named = named[~named["gone"] & ((named["name"] != "") | (named["company"] != ""))]
    left = lost[named.index]
    named.loc[left, "name"] = _once(named.loc[left, "name"], namesakes.lost)
    return named


def _name_pairs(left: _Left) -> pd.DataFrame:
    """Contacts of which nothing but the name is left; see `core.namesakes`.

    Where the claim knows the CRM record, and that is gone, a namesake counts only in the same
    company. Where it knows none, initials are enough for a doubt; a contact that is not even
    claimed would not be deleted anyway, and only the very same name is worth a look.
    """
    sought = tuple(left.sought)
    found = namesakes.find(sought, left.near(sought))
    return _by_name(left, pd.Series(found, dtype="int64"))


def _merged_pairs(left: _Left) -> pd.DataFrame:
    """Contacts whose CRM record is gone, and the only record of that name is nobody else's.

    That is what a merge leaves behind that keeps the other record's values (HubSpot gives it a new
    id, too). A true namesake nearly always has a contact of its own.
    """
    lone = left.people.drop_duplicates("name", keep=False)
    lone = lone[~lone.index.isin(left.taken) & lone["name"].str.contains(" ")]
    row = left.contacts["name"].map(pd.Series(lone.index, index=lone["name"])).dropna()
    return _by_name(left, row.astype("int64"))


def _by_name(left: _Left, row: pd.Series[int]) -> pd.DataFrame:
    """Position → row, as pairs."""
    key = left.contacts["name"].reindex(row.index).to_numpy()
    return pd.DataFrame(
        {"at": row.index, "row": row.to_numpy(), "kind": "name", "key": key, "shared": False}
    )


def _with_a_word_of(names: pd.Series[str], people: pd.DataFrame) -> pd.Series[bool]:
    """Whose name has a word of one of the names, or no whole one; everybody, if a name has none."""
    words = names.str.split().explode()
    whole = {word for word in words.unique() if is_word(word)}
    if (
        names.str.contains("?", regex=False).any()
        or not words.isin(whole).groupby(level=0).any().all()
    ):
        return pd.Series(data=True, index=people.index)
    theirs = people["name"].str.split().explode().dropna()
    bare = people["name"].str.contains(r"\?|^\w(?: \w)*$")
    return bare | people.index.isin(theirs.index[theirs.isin(whole)])


def _least(claim: Claim | None, *, tagged: bool) -> Agreement | None:
    """How well a name must agree to be worth a doubt in another company."""
    if claim is not None and claim.crm_id:
        return None
    return Agreement.SAME if claim is None and not tagged else Agreement.INITIALS


def _key_pairs(
    met: pd.DataFrame, pbx_keys: pd.DataFrame, people: pd.DataFrame, contacts: pd.DataFrame
) -> tuple[pd.DataFrame, frozenset[int]]:
    """Contacts and living records with a key in common; and the mute contacts (see `_Found`).

    A shared key pairs those of the same name, and those with a word in common that is not common
    to many of its carriers.
    """
    alive = met.loc[~met["gone"], ["at", "kind", "key", "shared"]]
    alive = alive.rename(columns={"at": "row"})
    keys = pbx_keys[["at", "kind", "key"]]
    own = keys.merge(alive[~alive["shared"]], on=["kind", "key"])
    shared = alive[alive["shared"]]
    few = keys.merge(shared[["kind", "key"]].drop_duplicates(), on=["kind", "key"])
    names = ["kind", "key", "name"]
    same = _named(few, "at", contacts).merge(_named(shared, "row", people), on=names)
    ours, theirs = _by_word(few, "at", contacts), _by_word(shared, "row", people)
    sizes = theirs.groupby(["kind", "key", "word"]).size().rename("size").reset_index()
    common = sizes[sizes["size"] > _COMMON].drop(columns="size").assign(common=True)
    ours = ours.merge(common, on=["kind", "key", "word"], how="left")
    telling = ours[ours["common"].isna()].drop(columns="common")
    by_word = telling.merge(theirs, on=["kind", "key", "word"])
    return (
        pd.concat([own, same, by_word])[list(_PAIR)].drop_duplicates(),
        _mute(few[few["kind"].isin(_OWN)], telling),
    )


def _mute(few: pd.DataFrame, telling: pd.DataFrame) -> frozenset[int]:
    """The contacts that carry one of the shared keys and have no word that tells."""
    marked = few.merge(
        telling[["at", "kind", "key"]].drop_duplicates(),
        on=["at", "kind", "key"],
        how="left",
        indicator="in",
    )
    return frozenset(marked.loc[marked["in"] == "left_only", "at"].tolist())


def _named(keys: pd.DataFrame, position: str, side: pd.DataFrame) -> pd.DataFrame:
    """Each key with its carrier's name, where there is one."""
    named = keys.assign(name=keys[position].map(side["name"]).astype("str"))
    return named[named["name"] != ""]


def _by_word(keys: pd.DataFrame, position: str, side: pd.DataFrame) -> pd.DataFrame:
    """Each key once per word of its carrier's name; initials are no words."""
    names = keys[position].map(side["name"]).astype("str")
    worded = keys.assign(word=names.str.split()).explode("word")
    whole = {word for word in worded["word"].dropna().unique() if is_word(word)}
    return worded[worded["word"].isin(whole)].astype({"word": "str"})


def _judged(pairs: pd.DataFrame, people: pd.DataFrame, contacts: pd.DataFrame) -> pd.DataFrame:
    """Pairs with the agreement of their names and companies, and their strength (0: no proof)."""
    pairs = pairs.assign(
        theirs=pairs["row"].map(people["name"]),
        ours=pairs["at"].map(contacts["name"]),
        same_company=pairs["row"].map(people["company"])
        == pairs["at"].map(contacts["company"]).where(lambda c: c != ""),
        same_first=_same_first(pairs, people, contacts),
        rank=pairs["kind"].map({kind: rank for rank, kind in enumerate(_KINDS)}),
    )
    names = pairs[["ours", "theirs"]].drop_duplicates()
    names["agreement"] = [
        int(agreement(a, b)) for a, b in zip(names["ours"], names["theirs"], strict=True)
    ]
    pairs = pairs.merge(names, on=["ours", "theirs"], how="left")
    return pairs.assign(
        strength=_strengths(pairs, _persons_per_key(pairs)),
        owns=(pairs["kind"] == "claim")
        | (pairs["agreement"] >= Agreement.INITIALS)
        | ((pairs["agreement"] == Agreement.UNKNOWN) & pairs["same_company"]),
    )


def _same_first(
    pairs: pd.DataFrame, people: pd.DataFrame, contacts: pd.DataFrame
) -> pd.Series[bool]:
    """Pairs that have a first name in common."""
    firsts = pd.DataFrame(
        {"ours": pairs["at"].map(contacts["first"]), "theirs": pairs["row"].map(people["first"])}
    )
    distinct = firsts.drop_duplicates()
    same = [
        not set(a.split()).isdisjoint(b.split())
        for a, b in zip(distinct["ours"], distinct["theirs"], strict=True)
    ]
    return firsts.merge(distinct.assign(same=same), on=["ours", "theirs"], how="left")[
        "same"
    ].set_axis(pairs.index)


def _persons_per_key(pairs: pd.DataFrame) -> pd.Series[int]:
    """For each pair, how many people its key and its contact's name fit at once."""
    fits = pairs[pairs["agreement"] >= Agreement.INITIALS]
    count = fits.groupby(["at", "kind", "key"])["theirs"].nunique().rename("persons").reset_index()
    return pairs.merge(count, on=["at", "kind", "key"], how="left")["persons"].fillna(0)


def _strengths(pairs: pd.DataFrame, persons: pd.Series[int]) -> pd.Series[int]:
    """The rules of what proves what; each line is one sentence of the design's section 5."""
    agreed, kind = pairs["agreement"], pairs["kind"]
    named = agreed >= Agreement.INITIALS
    company_only = (agreed == Agreement.UNKNOWN) & pairs["same_company"]
    own = ~pairs["shared"]
    renamed = (agreed == Agreement.PARTIAL) & pairs["same_first"]  # a relative has another one
    strong = (
        kind.isin(["claim", "name_company"])
        | ((kind == "crm_id") & (agreed != Agreement.CONFLICT))
        | ((kind == "email") & own)
        | ((kind == "number") & own & (named | company_only | renamed))
        | (pairs["shared"] & (agreed >= Agreement.COMPATIBLE) & (persons == 1))
        | (pairs["shared"] & (agreed == Agreement.SAME))
    )
    return strong.map({True: int(Strength.STRONG), False: int(Strength.WEAK)})


def _chosen(pairs: pd.DataFrame) -> pd.DataFrame:
    """Of each contact's strong pairs the best, the one that its claim is renewed with."""
    strong = pairs[pairs["strength"] == Strength.STRONG]
    best = strong.sort_values(
        ["at", "owns", "rank", "agreement", "row", "key"],
        ascending=[True, False, True, False, True, True],
    )
    return best.drop_duplicates("at").set_index("at")


# ---------------------------------------------------------------------------- evidence


def _evidence(found: _Found, reused: set[int]) -> tuple[Evidence, ...]:
    """One piece per contact, in the order of the listing."""
    ids = found.contacts["id"].tolist()
    strong = _proofs(found, found.chosen.reset_index())
    weak_pairs = found.pairs[~found.pairs["at"].isin(found.chosen.index)]
    weak_pairs = weak_pairs.sort_values(["at", "rank", "row", "key"]).groupby("at").head(_SHOWN)
    weak = _proofs(found, weak_pairs)
    common = _shared_only(found)
    keyed = set(found.pbx_keys.loc[found.pbx_keys["kind"] != "short", "at"])
    unseen = _unseen(found)
    return tuple(
        Evidence(
            contact_id=contact_id,
            proofs=strong.get(at) or weak.get(at) or common.get(at, ()),
            has_key=at in keyed,
            unseen=unseen.get(at, ()),
            same_person=at not in reused,
        )
        for at, contact_id in enumerate(ids)
    )


def _proofs(found: _Found, pairs: pd.DataFrame) -> dict[int, tuple[Proof, ...]]:
    """Position of a contact → its pairs as proofs, in the order given."""
    people = found.people.reindex(pairs["row"])
    rows = zip(
        pairs["at"],
        pairs["kind"],
        pairs["strength"],
        pairs["key"],
        pairs["shared"],
        pairs["agreement"],
        pairs["owns"],
        people["crm_id"],
        people["line"],
        people["part"],
        people["shown"],
        strict=True,
    )
    proofs: dict[int, tuple[Proof, ...]] = {}
    for at, kind, strength, key, shared, agreed, owns, crm_id, line, part, shown in rows:
        proof = Proof(
            kind=kind,
            strength=Strength(strength),
            key=key.removeprefix(phones.SHORT),
            crm_id=crm_id,
            crm_row=int(line),
            crm_part=part,
            crm_name=shown,
            why=_why(kind, Agreement(agreed), strong=strength == Strength.STRONG),
            shared=bool(shared),
            owns=bool(owns),
        )
        proofs[at] = (*proofs.get(at, ()), proof)
    return proofs


def _why(kind: str, agreed: Agreement, *, strong: bool) -> str:
    if kind == "name":
        return _NAME_SENTENCES[agreed]
    if kind == "number" and strong:
        return _STRONG_SENTENCES.get(agreed, _SENTENCES[agreed])
    return _SENTENCES[agreed]


def _shared_only(found: _Found) -> dict[int, tuple[Proof, ...]]:
    """A weak proof for each contact that has nothing but keys that several people share.

    A contact that also has a number or an address of its own is judged by that one: otherwise
    nobody who ever had a switchboard number could be seen to leave. But only if its name tells it
    from the key's carriers: a contact without a name may be any of them. A role's address (info@)
    is nobody's own, whether the CRM has it or not.
    """
    own = found.pbx_keys[found.pbx_keys["kind"].isin(_OWN)]
    alive = found.met[~found.met["gone"] & found.met["shared"]]
    carriers = alive.groupby(["kind", "key"])["carriers"].max().rename("carriers").reset_index()
    marked = own.merge(carriers, on=["kind", "key"], how="left")
    marked.loc[
        marked["key"].map(is_role).astype("bool") & marked["carriers"].isna(), "carriers"
    ] = 0
    by_value = marked.groupby(["at", "value"])["carriers"].max()
    only = by_value.isna().groupby("at").any()
    unsure = set(only[~only].index) | found.mute
    candidates = marked[marked["at"].isin(unsure)].dropna(subset="carriers")
    first = candidates.drop_duplicates("at")
    return {
        int(at): (_shared_proof(kind, key, int(count), mute=at in found.mute),)
        for at, kind, key, count in zip(
            first["at"], first["kind"], first["key"], first["carriers"], strict=True
        )
    }


def _shared_proof(kind: str, key: str, count: int, *, mute: bool) -> Proof:
    telling = "and its name does not say which of them it is"
    alone = "none with this name, and it has no number or address of its own"
    many = f"{count} in the CRM share it" if count > 1 else "several people may share it"
    who = many if count else "it is for a task and is no person's"
    return Proof(
        kind=kind,
        strength=Strength.WEAK,
        key=key,
        crm_id="",
        crm_row=0,
        crm_name="",
        why=f"{who}, {telling if mute else alone}",
    )


def _unseen(found: _Found) -> dict[int, tuple[str, ...]]:
    """The numbers and addresses of each contact of which the export's keys hold no reading."""
    own = found.pbx_keys[found.pbx_keys["kind"].isin(_OWN)]
    known = found.met[["kind", "key"]].drop_duplicates().assign(known=True)
    marked = own.merge(known, on=["kind", "key"], how="left")
    seen = marked["known"].notna().groupby([marked["at"], marked["value"]]).any()
    result: dict[int, tuple[str, ...]] = {}
    for at, value in seen[~seen].index:
        result[at] = (*result.get(at, ()), value)
    return result


# ---------------------------------------------------------------------------- the CRM's side


def _record_states(found: _Found) -> pd.Series[str]:
    """Each record is matched, gone, missing in 3CX, or without any number."""
    people = found.people
    strong = found.pairs.loc[found.pairs["strength"] == Strength.STRONG, "row"]
    numbered = found.crm_keys.loc[found.crm_keys["kind"] == "number", "at"]
    state = pd.Series("without_number", index=people.index, dtype="str")
    state[people.index.isin(numbered)] = "missing"
    state[people.index.isin(strong)] = "matched"
    state[people["gone"]] = "gone"
    return state


def _missing(people: pd.DataFrame, state: pd.Series[str]) -> tuple[MissingRecord, ...]:
    rows = people[state == "missing"]
    return tuple(
        MissingRecord(crm_id=crm_id, row=int(line), name=shown, company=company)
        for crm_id, line, shown, company in zip(
            rows["crm_id"], rows["line"], rows["shown"], rows["company_shown"], strict=True
        )
    )


def _duplicates(found: _Found) -> tuple[Duplicate, ...]:
    """One person, several contacts."""
    several = found.chosen[found.chosen["row"].duplicated(keep=False)]
    ids = found.contacts["id"].loc[several.index].groupby(several["row"]).agg(tuple)
    people = found.people.loc[ids.index]
    return tuple(
        Duplicate(crm_id=crm_id, name=shown, contact_ids=tuple(sorted(group)))
        for crm_id, shown, group in zip(people["crm_id"], people["shown"], ids, strict=True)
    )


def _drift(found: _Found) -> tuple[Drift, ...]:
    """Matched contacts whose name, company, numbers or address say something else in the CRM."""
    links = found.chosen[["row"]].reset_index()
    texts = [
        _text_drift(found, links, "name", shown="shown"),
        _text_drift(found, links, "company", shown="company_shown"),
        _key_drift(found, links, "number", "numbers"),
        _key_drift(found, links, "email", "email"),
    ]
    table = pd.concat(texts).sort_values(["at", "field"])
    ids = found.contacts["id"].reindex(table["at"])
    crm_ids = found.people["crm_id"].reindex(table["row"])
    return tuple(
        Drift(contact_id=int(i), crm_id=crm_id, field=field, crm=crm, pbx=pbx)
        for i, crm_id, field, crm, pbx in zip(
            ids, crm_ids, table["field"], table["crm"], table["pbx"], strict=True
        )
    )


def _text_drift(found: _Found, links: pd.DataFrame, field: str, *, shown: str) -> pd.DataFrame:
    """Links whose comparable text differs; an empty one in the CRM says nothing."""
    theirs, ours = links["row"].map(found.people[field]), links["at"].map(found.contacts[field])
    differs = links[(theirs != ours) & (theirs != "")]
    return differs.assign(
        field=field,
        crm=differs["row"].map(found.people[shown]),
        pbx=differs["at"].map(found.contacts[shown]),
    )


def _key_drift(found: _Found, links: pd.DataFrame, kind: str, field: str) -> pd.DataFrame:
    """Links in which one side has a value that the other side has no reading of."""
    linked = found.crm_keys[found.crm_keys["at"].isin(links["row"])]
    crm = linked.loc[linked["kind"] == kind, ["at", "value", "key"]]
    pbx = found.pbx_keys.loc[found.pbx_keys["kind"] == kind, ["at", "value", "key"]]
    theirs = links.merge(crm.rename(columns={"at": "row"}), on="row")
    ours = links.merge(pbx, on="at")
    joined = pd.concat(
        [_lacking(theirs, ours).rename("crm"), _lacking(ours, theirs).rename("pbx")], axis="columns"
    )
    return joined.fillna("").astype("str").reset_index().assign(field=field)


def _lacking(one: pd.DataFrame, other: pd.DataFrame) -> pd.Series[str]:
    """(at, row) → the values of `one` of which `other` has no key, joined by a comma."""
    both = one.merge(
        other[["at", "row", "key"]], on=["at", "row", "key"], how="left", indicator="in"
    )
    covered = (both["in"] == "both").groupby([both["at"], both["row"], both["value"]]).any()
    left = covered[~covered].reset_index()
    return left.groupby(["at", "row"])["value"].agg(", ".join)


def _fill(records: pd.DataFrame, crm_keys: pd.DataFrame) -> dict[str, float]:
    """Canonical column → share of the living records that have a value in it.

    Of numbers and addresses only those count that give a key: a column may be full and spoilt.
    """
    alive = records.reset_index(drop=True)[~records["gone"].to_numpy(dtype="bool")]
    if alive.empty:
        return {}
    groups: dict[str, list[str]] = {}
    for column in map(str, records.columns.drop(["row", "gone"])):
        groups.setdefault(column.partition(":")[0], []).append(column)
    filled = {name: (alive[columns] != "").any(axis="columns") for name, columns in groups.items()}
    for name in filled.keys() & _KEYED.keys():
        filled[name] &= alive.index.isin(crm_keys.loc[crm_keys["kind"] == _KEYED[name], "at"])
    return {name: round(float(share.mean()), 4) for name, share in sorted(filled.items())}
