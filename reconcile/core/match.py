"""The diff, in pandas: CrmSnapshot x PbxSnapshot x claims → evidence per contact.

Both sides become long tables of match keys (position, kind, key) and are joined on them; a cell is
parsed once per distinct value. Blank keys never enter a table, so they can't join each other.
Shared keys, carried by two or more people of the CRM, are joined by key *and* a word of the name:
a switchboard of 5,000 people would otherwise give 25 million pairs.

Proofs are asymmetric: one strong one keeps a contact; its deletion needs absence on all keys, and
is not decided here but in `core.plan`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from reconcile.core import differences, evidence, namesakes, phones, sides
from reconcile.core.evidence import Columns
from reconcile.core.text import Agreement, agreement, is_word, name_key
from reconcile.model import (
    Claim,
    CrmSnapshot,
    Matching,
    PbxSnapshot,
    Proof,
    Strength,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

VERSION: Final = "3"
"""Raised with every change that can move a key; a plan made under another one needs approval."""

_COMMON: Final = 50
"""So many carriers of one key with the same word in their names: the word tells nobody apart."""
_SPELLINGS: Final = 4
"""So many names may be those of one person."""
_SHOWN: Final = 5
"""Proofs kept for one contact."""
_OF_RECORD: Final = {"crm_id": "crm_id", "crm_part": "part", "crm_name": "shown"}
"""What a proof says of the record → where that stands."""

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
    people, contacts = sides.people(crm.records), sides.contacts(pbx)
    crm_keys = sides.crm_keys(crm.records, people, region)
    pbx_keys = sides.pbx_keys(pbx, contacts, region, outside_prefix, read=crm_keys[0])
    reused = _reused_ids(pbx, contacts, claims)
    main_numbers = sides.main_numbers(crm.records, region)
    ids = sides.found(crm_keys, pbx_keys)
    met = _mark_shared(_met(crm_keys, ids, people), pbx_keys, people, main_numbers)
    by_key, mute = _key_pairs(met, pbx_keys.table, people, contacts)
    tags = _tags(pbx)
    by_id = [_claim_pairs(people, contacts, claims, reused), _by_id("crm_id", tags, people)]
    pairs = _judged(pd.concat([*by_id, by_key], ignore_index=True), people, contacts)
    proved = pairs.loc[pairs["strength"] == Strength.STRONG, ["at", "row"]]
    left = _Left(
        contacts=contacts.drop(proved["at"].unique()),
        people=_named_alive(people),
        taken=_taken(proved["row"], people, claims),
        claims=claims,
        tagged=_with_tag(pbx, owner_tag),
    )
    by_name = pd.concat([_name_pairs(left), _merged_pairs(left)], ignore_index=True)
    if len(by_name):
        pairs = pd.concat([pairs, _judged(by_name, people, contacts)], ignore_index=True)
    texts = _Texts(people["crm_id"], tags, contacts["name"], pbx_keys.key)
    found = _Found(people, contacts, met, pbx_keys, texts, pairs, _chosen(pairs, texts), mute)
    return differences.told(
        differences.Linked(
            records=crm.records,
            people=people,
            contacts=contacts,
            crm_keys=crm_keys,
            key_ids=ids,
            pbx_keys=pbx_keys,
            links=found.chosen["row"],
            proved=pairs.loc[pairs["strength"] == Strength.STRONG, "row"].to_numpy(),
        ),
        _evidence(found, reused),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """What the join gave; tables are indexed by position (`at` of a contact, `row` of a record)."""

    people: pd.DataFrame
    contacts: pd.DataFrame
    met: pd.DataFrame
    """The keys of the CRM that a contact has, too, and whether several people share each."""
    pbx_keys: sides.PbxKeys
    texts: _Texts
    pairs: pd.DataFrame
    chosen: pd.DataFrame
    mute: frozenset[int]
    """Contacts with a shared key whose names can't tell its carriers apart."""


@dataclass(frozen=True, slots=True)
class _Texts:
    """What pairs were found by, as texts, which only those need that are told."""

    crm_ids: pd.Series[str]
    """Of each record; after a merge it is the master's that a claim is renewed with."""
    tags: Sequence[str]
    names: pd.Series[str]
    """Of each contact."""
    keys: pa.Array

    def of(self, pairs: pd.DataFrame) -> pa.Array:
        """The text of each pair."""
        place = pairs["id"].to_numpy(dtype="int64")
        made = self.keys.take(pa.array(place, mask=place == sides.UNKNOWN))
        sources: dict[str, tuple[str, pd.Series[str] | Sequence[str]]] = {
            "claim": ("row", self.crm_ids),
            "crm_id": ("at", self.tags),
            "name": ("at", self.names),
        }
        for kind, (position, source) in sources.items():
            some = (pairs["kind"] == kind).to_numpy()
            if some.any():
                where = pa.array(pairs[position].to_numpy(dtype="int64")[some])
                texts = sides.arrow(source).take(where)
                made = pc.replace_with_mask(made, pa.array(some), texts)
        return made

    def ordered(self, pairs: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
        """By columns, and last by the text."""
        with_text = pairs.assign(key=sides.series(self.of(pairs)).array)
        return with_text.sort_values([*by, "key"]).drop(columns="key")


# ---------------------------------------------------------------------------- shared keys


def _met(
    crm_keys: Sequence[sides.Keys], ids: Sequence[sides.Positions], people: pd.DataFrame
) -> pd.DataFrame:
    """The keys of the CRM that a contact has, too: at, kind, its id there, gone.

    `ids` are where the CRM's keys stand among the PBX's.
    """
    each = [keys.shared(known) for keys, known in zip(crm_keys, ids, strict=True)]
    met = pd.concat(each, ignore_index=True)
    # A key may be that of two spellings, or of a number as it is read for two regions.
    met = met[~sides.repeated(met["at"].to_numpy(), met["id"].to_numpy())]
    return met.assign(gone=people["gone"].to_numpy()[met["at"]])


def _mark_shared(
    met: pd.DataFrame,
    pbx_keys: sides.PbxKeys,
    people: pd.DataFrame,
    main_numbers: frozenset[str],
) -> pd.DataFrame:
    """Shared: two or more people of the CRM carry it, or it is nobody's own by its nature.

    Records whose names agree count as one person; a record without a name counts as its own.
    """
    is_own = met["kind"].isin(sides.OWN).to_numpy()
    carried = np.flatnonzero(is_own & ~met["gone"])
    group, at = (met[name].to_numpy()[carried] for name in ("id", "at"))
    carriers = _carriers(group, at, people, len(pbx_keys.key))[met["id"].to_numpy()]
    nobodys = pbx_keys.role | sides.among(pbx_keys.key, sides.arrow(main_numbers))
    shared = (carriers > 1) | nobodys[met["id"].to_numpy()] | (met["kind"] == "short").to_numpy()
    return met.assign(carriers=carriers, shared=shared)


def _carriers(
    group: NDArray[np.int64], at: NDArray[np.int64], people: pd.DataFrame, groups: int
) -> NDArray[np.int64]:
    """People per group, 1 where a few names are all spellings of one: CRMs have duplicates."""
    names = sides.arrow(people["name"]).take(pa.array(at))
    coded = names.dictionary_encode()
    nameless = sides.mask(pc.equal(names, ""))
    person = np.where(nameless, len(coded.dictionary) + at, coded.indices.to_numpy())
    first = ~sides.repeated(group, person)
    count = np.bincount(group[first], minlength=groups)
    few = first & (count[group] > 1) & (count[group] <= _SPELLINGS)
    spelt: dict[int, list[str]] = defaultdict(list)
    some = zip(
        group[few].tolist(), names.filter(pa.array(few)).to_pylist(), person[few], strict=True
    )
    for key, name, who in some:  # a record without a name is nobody whose name could agree
        spelt[key].append(name or f"#{who}")
    is_one = cache(_is_one_person)
    count[[key for key, forms in spelt.items() if is_one(tuple(forms))]] = 1
    return count


def _is_one_person(names: Iterable[str]) -> bool:
    return all(agreement(a, b) >= Agreement.COMPATIBLE for a, b in combinations(names, 2))


# ---------------------------------------------------------------------------- pairs

_PAIR: Final = ("at", "row", "kind", "id", "shared")
"""Of a contact and a record, by one key; `id` is `UNKNOWN` unless both carry it."""
_Rows = tuple["NDArray[np.int64]", "NDArray[np.int64]"]
"""Of both sides, ours first."""


def _reused_ids(pbx: PbxSnapshot, contacts: pd.DataFrame, claims: Mapping[int, Claim]) -> set[int]:
    """Positions whose claim was made for another person: the Id was given to somebody else.

    Unchanged content is the same person. Once it has changed, the names must still agree: a new
    surname looks like a new person, and is kept as one.
    """
    if not claims:
        return set()
    edited = [
        at
        for at, seen in enumerate(zip(pbx.ids, pbx.fingerprints, strict=True))
        if seen[0] in claims and claims[seen[0]].fingerprint != seen[1]
    ]
    some = contacts.iloc[edited]
    shown = some["shown"].where(some["shown"] != "", some["company_shown"])
    return {
        at
        for at, contact_id, name in zip(edited, some["id"], shown, strict=True)
        if agreement(name_key(name), name_key(claims[contact_id].name)) < Agreement.INITIALS
    }


def _alive_ids(people: pd.DataFrame, wanted: Iterable[str]) -> dict[str, int]:
    """CRM id → position of the living record it stands for; merged ids lead to their master.

    Only of the ids that are wanted.
    """
    gone, ids = people["gone"].to_numpy(), sides.arrow(people["crm_id"])
    merged = people[gone & ((people["crm_id"] != "") & (people["merged_into"] != "")).to_numpy()]
    masters = dict(zip(merged["crm_id"], merged["merged_into"], strict=True))
    asked = sides.arrow([*filter(None, {*wanted, *masters.values()})])
    alive = np.flatnonzero(sides.among(ids, asked) & ~gone)
    known = dict(zip(ids.take(pa.array(alive)).to_pylist(), alive.tolist(), strict=True))
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
    crm_ids = [
        "" if claim is None or at in reused else claim.crm_id
        for at, claim in enumerate(map(claims.get, contacts["id"].tolist()))
    ]
    return _by_id("claim", crm_ids, people)


def _tags(pbx: PbxSnapshot) -> list[str]:
    """Every contact's Tag; it may be the id of a record, as integrators write it there."""
    coded = pbx.text("Tag").dictionary_encode()
    stripped = [tag.strip() for tag in coded.dictionary.to_pylist()]
    return list(map(stripped.__getitem__, coded.indices.to_pylist()))


def _by_id(kind: str, crm_ids: Sequence[str], people: pd.DataFrame) -> pd.DataFrame:
    """Contacts, in their order, with the living record that an id stands for; "" is no id."""
    known = _alive_ids(people, crm_ids) if any(crm_ids) else {}
    found = {at: known[crm_id] for at, crm_id in enumerate(crm_ids) if crm_id in known}
    return _pairs(kind, np.array([*found], dtype="int64"), [*found.values()])


def _pairs(kind: str, at: NDArray[np.int64], row: Sequence[int]) -> pd.DataFrame:
    """Pairs by something else than keys of both."""
    rows, kinds = np.array(row, dtype="int64"), sides.kinds(kind, len(at))
    return pd.DataFrame(
        {"at": at, "row": rows, "kind": kinds, "id": sides.UNKNOWN, "shared": False}
    )


def _with_tag(pbx: PbxSnapshot, owner_tag: str) -> pd.Series[bool]:
    """Position → whether the contact has the owner tag; nobody has an empty one."""
    return pd.Series(sides.mask(pc.equal(pbx.text("Tag"), owner_tag)) & (owner_tag != ""))


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
        columns = (sides.listed(people[name]) for name in ("name", "company", "first"))
        return map(namesakes.Person, people.index.tolist(), *columns, free.tolist())


def _taken(
    matched: pd.Series[int], people: pd.DataFrame, claims: Mapping[int, Claim]
) -> pd.Series[int]:
    """Of the matched records those that are another contact's.

    An id that no claim knows has come with a merge or a migration: whomever it matches tonight, it
    may stand for others, too.
    """
    known = {claim.crm_id for claim in claims.values()} - {""}
    ids = sides.arrow(people["crm_id"]).take(pa.array(matched.to_numpy(dtype="int64")))
    return matched[sides.among(ids, sides.arrow(["", *known]))] if known else matched


def _named_alive(people: pd.DataFrame) -> pd.DataFrame:
    """Living records with a name or company; a name without a letter left as what it looks like."""
    lost = (people["name"] == "") & people["shown"].str.contains("?", regex=False)
    named = people.assign(name=people["name"].where(~lost, people["shown"]))
    named = named[~named["gone"] & ((named["name"] != "") | (named["company"] != ""))]
    left = lost[named.index]
    named.loc[left, "name"] = named.loc[left, "name"].map(namesakes.lost)
    return named


def _name_pairs(left: _Left) -> pd.DataFrame:
    """Contacts of which nothing but the name is left; see `core.namesakes`.

    Where the claim knows the CRM record, and that is gone, a namesake counts only in the same
    company. Where it knows none, initials are enough for a doubt; a contact that is not even
    claimed would not be deleted anyway, and only the very same name is worth a look.
    """
    sought = tuple(left.sought)
    found = namesakes.find(sought, left.near(sought))
    return _by_name(pd.Series(found, dtype="int64"))


def _merged_pairs(left: _Left) -> pd.DataFrame:
    """Contacts whose CRM record is gone, and the only record of that name is nobody else's.

    That is what a merge leaves behind that keeps the other record's values (HubSpot gives it a new
    id, too). A true namesake nearly always has a contact of its own.
    """
    names = sides.arrow(left.contacts["name"])
    same = left.people[sides.among(sides.arrow(left.people["name"]), names)]
    lone = same.drop_duplicates("name", keep=False)
    lone = lone[~lone.index.isin(left.taken) & lone["name"].str.contains(" ")]
    row = left.contacts["name"].map(pd.Series(lone.index, index=lone["name"])).dropna()
    return _by_name(row.astype("int64"))


def _by_name(row: pd.Series[int]) -> pd.DataFrame:
    """Position → row, as pairs."""
    at = row.index.to_numpy(dtype="int64")
    return _pairs("name", at, row.tolist())


def _with_a_word_of(names: pd.Series[str], people: pd.DataFrame) -> pd.Series[bool]:
    """Whose name has a word of one of the names, or no whole one; everybody, if a name has none."""
    words = names.str.split().explode()
    whole = {word for word in words.unique() if is_word(word)}
    if (
        names.str.contains("?", regex=False).any()
        or not words.isin(whole).groupby(level=0).any().all()
    ):
        return pd.Series(data=True, index=people.index)
    bare = people["name"].str.contains(r"\?|^\w(?: \w)*$")
    theirs = pc.split_pattern(sides.arrow(people["name"]), " ")
    found = sides.among(pc.list_flatten(theirs), sides.arrow(whole))
    having = np.zeros(len(people), dtype="bool")
    having[pc.list_parent_indices(theirs).to_numpy()[found]] = True
    return bare | having


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
    alive = met.loc[~met["gone"], ["at", "id", "shared"]].rename(columns={"at": "row"})
    own, shared = alive[~alive["shared"]], alive[alive["shared"]]
    each = ~sides.repeated(pbx_keys["at"].to_numpy(), pbx_keys["id"].to_numpy())
    few = pbx_keys.loc[each & pbx_keys["id"].isin(shared["id"]), ["at", "id", "kind"]]
    ours, theirs = _Carriers.of(few, "at", contacts), _Carriers.of(shared, "row", people)
    telling = ours.telling(theirs)
    told = _told(few.index.to_numpy(), shared["row"].to_numpy(), ours.meeting(theirs, telling))
    is_mute = few["kind"].isin(sides.OWN).to_numpy(copy=True)
    is_mute[ours.carrier[telling]] = False
    by_own = _by_own(np.flatnonzero(each), pbx_keys, own)
    pairs = pd.concat([_keyed(by_own, pbx_keys, shared=False), _keyed(told, pbx_keys, shared=True)])
    return pairs, frozenset(few.loc[is_mute, "at"].tolist())


def _by_own(place: NDArray[np.int64], pbx_keys: pd.DataFrame, own: pd.DataFrame) -> _Rows:
    """Where of those places the PBX has a key that only one person has; and that one's row."""
    which, whose = sides.joined(pbx_keys["id"].to_numpy()[place], own["id"].to_numpy())
    return place[which], own["row"].to_numpy()[whose]


def _told(places: NDArray[np.int64], rows: NDArray[np.int64], meeting: Iterable[_Rows]) -> _Rows:
    """Places and rows that meet, each two once: most do by their name and by a word of it."""
    which, whose = map(np.concatenate, zip(*meeting, strict=True))
    once = ~sides.repeated(which, whose)
    return places[which[once]], rows[whose[once]]


def _keyed(found: _Rows, pbx_keys: pd.DataFrame, *, shared: bool) -> pd.DataFrame:
    """Pairs by a key; it is told by where it stands among the PBX's."""
    place, row = found
    columns = {name: pbx_keys[name].array.take(place) for name in ("at", "kind", "id")}
    return pd.DataFrame({**columns, "row": row, "shared": shared}, columns=[*_PAIR])


@dataclass(frozen=True, slots=True)
class _Carriers:
    """Those of one side who carry shared keys, a row for each key; and the words of their names."""

    key: NDArray[np.int64]
    name: pa.Array
    carrier: NDArray[np.int64]
    """Of each word the row it is of."""
    word: pa.Array
    """Whole ones; initials are no words."""

    @classmethod
    def of(cls, keys: pd.DataFrame, position: str, side: pd.DataFrame) -> _Carriers:
        """`position` is the column that says whose a key is."""
        name = sides.arrow(side["name"].array.take(keys[position].to_numpy(dtype="int64")))
        words = pc.split_pattern(name, " ")
        coded = pc.list_flatten(words).dictionary_encode()
        whole = [word != "" and is_word(word) for word in coded.dictionary.to_pylist()]
        some = np.array(whole, dtype="bool")[coded.indices.to_numpy()]
        carrier = pc.list_parent_indices(words).to_numpy()[some]
        return cls(keys["id"].to_numpy(), name, carrier, pc.list_flatten(words).filter(some))

    def telling(self, others: _Carriers) -> NDArray[np.int64]:
        """Positions of the words that few of the others who carry the key have, too, or none."""
        ours, theirs = self._by_word(others)
        value, count = np.unique(theirs, return_counts=True)
        return np.flatnonzero(~pd.Index(ours).isin(value[count > _COMMON]))

    def meeting(self, others: _Carriers, telling: NDArray[np.int64]) -> Iterator[_Rows]:
        """Rows of both sides with the same key and name, and then those with a telling word."""
        ours, theirs = _coded(self.key, self.name, others.key, others.name)
        named = np.flatnonzero(sides.mask(pc.not_equal(self.name, "")))
        which, whose = sides.joined(ours[named], theirs)
        yield named[which], whose
        ours, theirs = self._by_word(others)
        which, whose = sides.joined(ours[telling], theirs)
        yield self.carrier[telling[which]], others.carrier[whose]

    def _by_word(self, others: _Carriers) -> _Rows:
        ours, theirs = self.key[self.carrier], others.key[others.carrier]
        return _coded(ours, self.word, theirs, others.word)


def _coded(
    our_keys: NDArray[np.int64], ours: pa.Array, their_keys: NDArray[np.int64], theirs: pa.Array
) -> _Rows:
    """Both sides' keys with a text beside each as numbers: equal ones of equal ones."""
    coded = pa.concat_arrays([ours, theirs]).dictionary_encode()
    every = np.concatenate([our_keys, their_keys]) * max(1, len(coded.dictionary))
    every += coded.indices.to_numpy()
    return every[: len(ours)], every[len(ours) :]


def _judged(pairs: pd.DataFrame, people: pd.DataFrame, contacts: pd.DataFrame) -> pd.DataFrame:
    """Pairs with the agreement of their names and companies, and their strength (0: no proof)."""
    at, row = (pairs[name].to_numpy(dtype="int64") for name in ("at", "row"))
    link = at * max(1, len(people)) + row  # often by four keys
    both = pd.factorize(link)[0]
    first = np.diff(np.maximum.accumulate(both), prepend=-1) > 0  # a new one has the next number
    found = _compared(contacts, at[first], people, row[first])
    agreed, same_company, same_first = found[0][both], found[1][both], found[2][both]
    rank = pairs["kind"].cat.codes.to_numpy().astype("int64")
    pairs = pairs.assign(agreement=agreed, rank=rank)
    return pairs.assign(
        strength=_strengths(
            rank,
            agreed,
            shared=pairs["shared"].to_numpy(dtype="bool"),
            same_company=same_company,
            same_first=same_first,
            persons=_persons_per_key(pairs, people),
        ),
        owns=(rank == sides.KINDS.index("claim"))
        | (agreed >= Agreement.INITIALS)
        | ((agreed == Agreement.UNKNOWN) & same_company),
    )


def _compared(
    contacts: pd.DataFrame,
    at: NDArray[np.int64],
    people: pd.DataFrame,
    row: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Of contacts and records: agreement, whether the company is the same, and a first name."""
    texts = ("name", "company", "first")
    ours = {name: sides.arrow(contacts[name]).take(pa.array(at)) for name in texts}
    theirs = {name: sides.arrow(people[name]).take(pa.array(row)) for name in texts}
    same = pc.and_(pc.equal(ours["company"], theirs["company"]), pc.not_equal(ours["company"], ""))
    return (
        _by_both(agreement, ours["name"], theirs["name"]),
        sides.mask(same),
        _by_both(_share_a_word, ours["first"], theirs["first"]).astype("bool"),
    )


def _by_both(
    compare: Callable[[str, str], int], ours: pa.Array, theirs: pa.Array
) -> NDArray[np.int64]:
    """What a comparison says of each two texts, asked once of the same ones."""
    coded = pa.concat_arrays([ours, theirs]).dictionary_encode()
    code, count = coded.indices.to_numpy().astype("int64"), max(1, len(coded.dictionary))
    which, pairs = pd.factorize(code[: len(ours)] * count + code[len(ours) :])
    texts = (coded.dictionary.take(pa.array(side)).to_pylist() for side in np.divmod(pairs, count))
    return np.array([int(compare(*pair)) for pair in zip(*texts, strict=True)], "int64")[which]


def _share_a_word(one: str, other: str) -> bool:
    return not set(one.split()).isdisjoint(other.split())


def _persons_per_key(pairs: pd.DataFrame, people: pd.DataFrame) -> NDArray[np.int64]:
    """For each pair by a shared key, how many people the key and the contact's name fit at once."""
    fits = pairs[pairs["shared"] & (pairs["agreement"] >= Agreement.INITIALS)]
    if fits.empty:
        return np.zeros(len(pairs), dtype="int64")
    names = fits.assign(theirs=people["name"].array.take(fits["row"].to_numpy()))
    count = names.groupby(["at", "id"])["theirs"].transform("nunique")
    return count.reindex(pairs.index, fill_value=0).to_numpy(dtype="int64")


def _strengths(
    rank: NDArray[np.int64],
    agreed: NDArray[np.int64],
    *,
    shared: NDArray[np.bool_],
    same_company: NDArray[np.bool_],
    same_first: NDArray[np.bool_],
    persons: NDArray[np.int64],
) -> NDArray[np.int64]:
    """The rules of what proves what; each line is one sentence of the design's section 5."""
    claim, crm_id, email, number, name_company = (
        rank == sides.KINDS.index(kind)
        for kind in ("claim", "crm_id", "email", "number", "name_company")
    )
    named = agreed >= Agreement.INITIALS
    company_only = (agreed == Agreement.UNKNOWN) & same_company
    renamed = (agreed == Agreement.PARTIAL) & same_first  # a relative has another one
    strong = (
        claim
        | name_company
        | (crm_id & (agreed != Agreement.CONFLICT))
        | (email & ~shared)
        | (number & ~shared & (named | company_only | renamed))
        | (shared & (agreed >= Agreement.COMPATIBLE) & (persons == 1))
        | (shared & (agreed == Agreement.SAME))
    )
    return np.where(strong, int(Strength.STRONG), int(Strength.WEAK))


def _chosen(pairs: pd.DataFrame, texts: _Texts) -> pd.DataFrame:
    """Of each contact's strong pairs the best, the one that its claim is renewed with."""
    strong = pairs[pairs["strength"] == Strength.STRONG]
    owns, rank = strong["owns"].to_numpy(), strong["rank"].to_numpy()
    worth = (owns * len(sides.KINDS) + (len(sides.KINDS) - 1 - rank)) * len(Agreement)
    worth += strong["agreement"].to_numpy()
    at = strong["at"].to_numpy(dtype="int64")
    most = np.full(at.max(initial=-1) + 1, -1)
    np.maximum.at(most, at, worth)
    best = strong[worth == most[at]]
    several = best["at"].duplicated(keep=False)
    if several.any():
        tied = texts.ordered(best[several], ["at", "row"]).drop_duplicates("at")
        best = pd.concat([best[~several], tied])
    chosen: pd.DataFrame = best.set_index("at").sort_index()
    return chosen


# ---------------------------------------------------------------------------- evidence


def _evidence(found: _Found, reused: set[int]) -> Columns:
    """Of every contact, in the order of the listing."""
    strong, weak = found.chosen.reset_index(), _best_weak(found)
    paired = {*strong["at"].tolist(), *weak["at"].tolist()}
    common = {at: proof for at, proof in _shared_only(found).items() if at not in paired}
    at = np.array([*strong["at"], *weak["at"], *common], dtype="int64")
    proofs = [_proofs(found, strong), _proofs(found, weak), evidence.table(common.values())]
    ordered = pa.concat_tables(proofs).take(pa.array(np.argsort(at, kind="stable")))
    count = len(found.contacts)
    keys = found.pbx_keys.table
    keyed = keys.loc[keys["kind"] != "short", "at"]
    return Columns(
        contact_ids=found.contacts["id"].to_numpy(),
        proofs=ordered.combine_chunks(),
        counts=np.bincount(at, minlength=count),
        has_key=_mask(keyed, count),
        same_person=~_mask([*reused], count),
        unseen=_unseen(found),
    )


def _mask(positions: Sequence[int] | pd.Series[int], count: int) -> NDArray[np.bool_]:
    """True at those positions."""
    made = np.zeros(count, dtype="bool")
    made[np.asarray(positions, dtype="int64")] = True
    return made


def _best_weak(found: _Found) -> pd.DataFrame:
    """Some pairs of each contact that has no strong one."""
    weak = found.pairs[~found.pairs["at"].isin(found.chosen.index)]
    if weak.empty:
        return weak
    return found.texts.ordered(weak, ["at", "rank", "row"]).groupby("at").head(_SHOWN)


def _proofs(found: _Found, pairs: pd.DataFrame) -> pa.Table:
    """Pairs as proofs, in the order given."""
    row = pa.array(pairs["row"].to_numpy(dtype="int64"))
    of_record = {name: sides.arrow(found.people[name]).take(row) for name in _OF_RECORD.values()}
    key = found.texts.of(pairs)
    short = pc.starts_with(key, phones.SHORT)
    columns = {
        "kind": sides.arrow(sides.KINDS).take(pa.array(pairs["kind"].cat.codes)),
        "strength": pairs["strength"].to_numpy(dtype="int64"),
        "key": pc.if_else(short, pc.utf8_slice_codeunits(key, len(phones.SHORT)), key),
        "crm_row": pc.take(pa.array(found.people["line"].to_numpy(dtype="int64")), row),
        **{name: of_record[source] for name, source in _OF_RECORD.items()},
        "why": _whys(pairs),
        "shared": pairs["shared"].to_numpy(dtype="bool"),
        "owns": pairs["owns"].to_numpy(dtype="bool"),
    }
    return pa.table(columns).select(evidence.PROOFS.names).cast(evidence.PROOFS)


def _whys(pairs: pd.DataFrame) -> pa.Array:
    """`_why` of each pair, made once of those that are alike."""
    alike = pairs.groupby(["rank", "agreement", "strength"], sort=False)
    whys = [
        _why(sides.KINDS[rank], Agreement(agreed), strong=strength == Strength.STRONG)
        for rank, agreed, strength in alike.size().index
    ]
    return pa.array(whys, pa.large_string()).take(pa.array(alike.ngroup().to_numpy()))


def _why(kind: str, agreed: Agreement, *, strong: bool) -> str:
    if kind == "name":
        return _NAME_SENTENCES[agreed]
    if kind == "number" and strong:
        return _STRONG_SENTENCES.get(agreed, _SENTENCES[agreed])
    return _SENTENCES[agreed]


def _shared_only(found: _Found) -> dict[int, Proof]:
    """A weak proof for each contact that has nothing but keys that several people share.

    A contact that also has a number or an address of its own is judged by that one: otherwise
    nobody who ever had a switchboard number could be seen to leave. But only if its name tells it
    from the key's carriers: a contact without a name may be any of them. A role's address (info@)
    is nobody's own, whether the CRM has it or not.
    """
    own = found.pbx_keys.own()
    role = pd.Series(found.pbx_keys.role[own["id"]], index=own.index)
    alive = found.met[~found.met["gone"] & found.met["shared"]]
    if alive.empty and not role.any():
        return {}
    carriers = alive.drop_duplicates("id").set_index("id")["carriers"]
    marked = own.assign(carriers=own["id"].map(carriers))
    marked.loc[role & marked["carriers"].isna(), "carriers"] = 0
    marked = marked[marked["at"].isin(marked.loc[marked["carriers"].notna(), "at"])]
    by_value = (
        sides.with_values(marked, found.pbx_keys.value).groupby(["at", "value"])["carriers"].max()
    )
    only = by_value.isna().groupby("at").any()
    unsure = set(only[~only].index) | found.mute
    candidates = marked[marked["at"].isin(unsure)].dropna(subset="carriers")
    first = candidates.drop_duplicates("at")
    key = found.pbx_keys.key.take(pa.array(first["id"])).to_pylist()
    return {
        int(at): _shared_proof(kind, key, int(count), mute=at in found.mute)
        for at, kind, key, count in zip(
            first["at"], first["kind"], key, first["carriers"], strict=True
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
    own = found.pbx_keys.own()
    known = own["id"].isin(found.met["id"])
    some = sides.with_values(own[own["at"].isin(own.loc[~known, "at"])], found.pbx_keys.value)
    result: dict[int, tuple[str, ...]] = {}
    if some.empty:
        return result
    seen = known[some.index].groupby([some["at"], some["value"]]).any()
    for at, value in seen[~seen].index:
        result[at] = (*result.get(at, ()), value)
    return result
