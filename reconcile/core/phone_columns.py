"""Whole columns of numbers → their match keys: exactly `phones.keys_or_text`, many times as fast.

Cells of digits, a plus, blanks and separators are read in columns: the steps of the library's
parser, in its order and with its own metadata and patterns, on Arrow strings. RE2, which Arrow
matches with, is what the library's C++ edition uses, too. Every other cell goes to `phones`.
Tests compare the two for every region; `make prove` does so for more than a million numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    PhoneMetadata,
    PhoneNumberDesc,
    ValidationResult,
    region_code_for_country_code,
)

from reconcile.core import phones

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Positions = NDArray[np.int64]
    Mask = NDArray[np.bool_]

_PLAIN: Final = r"^\+?[0-9 ()\-]*$"
"""A cell that `phones` takes for one number without a second look."""
_SLASHED: Final = r"^\+?\(?[0-9](?:[ ()\-]*[0-9]){0,5}[ ()\-]*/ ?[1-9][0-9 ]*$"
"""One slash, behind fewer digits than a number has, and no zero behind it: it is inside one."""
_DOTTED: Final = r"^\+?[0-9]+(?:[. \-][0-9]+)*\.[0-9 ]*[0-9]$"
_NOT_DOTTED: Final = r"\.[0 ]*$|^[0-9]{1,3}(?:\.[0-9]{3}){3,}$"
"""A number cell with decimals or thousands."""
_DATE: Final = (
    r"\b(?:[0-9]{1,2}[./][0-9]{1,2}[./](?:19|20)[0-9]{2}"
    r"|(?:19|20)[0-9]{2}[/\-][0-9]{1,2}[/\-][0-9]{1,2})\b"
)
"""What may be a date; `phones` looks whether it is one."""
_TRUNK_ZERO: Final = r"([0-9])([^0-9]*)\( *0 *\)"
_BRACKETED: Final = r"\( *0 *\)"

_LONGEST: Final = 17
"""Of a national number, to the library's parser; two digits are the least."""
_ROUND: Final = 1_000_000
_SERIES: Final = ("12345678901234567890", "9876543210")
_SHORTEST_SERIES: Final = 6
AT_ONCE: Final = 1 << 18
"""So many cells are read at a time: what stands between is made in memory that was used before."""
_PLACEHOLDERS: Final = np.array(
    sorted(
        {int(digit * n) for digit in "0123456789" for n in range(1, 19)}
        | {int(s[:n]) for s in _SERIES for n in range(_SHORTEST_SERIES, min(len(s), 18) + 1)}
    ),
    dtype="int64",
)
"""One digit over and over, and digits in their order."""


def keys_or_text(cells: pa.Array, region: str, *, outside_prefix: str = "") -> pa.Table:
    """`phones.keys_or_text` of each cell of an Arrow string array.

    A table (cell, key): the position of the cell, and one of its keys. The rows of a cell stand
    together, in the order in which `phones.keys_or_text` gives them; the cells in their own.
    """
    cells = _flat(cells)
    blocks = range(0, max(1, len(cells)), AT_ONCE)
    return pa.concat_tables(
        _block(cells.slice(start, AT_ONCE), start, region, outside_prefix) for start in blocks
    )


def _block(cells: pa.Array, start: int, region: str, outside_prefix: str) -> pa.Table:
    """Those of some cells, of which the first has that position."""
    text = pc.ascii_trim_whitespace(cells)
    plain = _is_plain(text)
    at = np.flatnonzero(plain)
    text = text.filter(pa.array(plain))
    found = _readings(text, region, outside_prefix)
    bare = _texts(text, found)
    slow = np.flatnonzero(~plain)
    keys = _ordered(
        _Keys(at[found.at], found.rank, found.key),
        _Keys(at[bare.at], bare.rank, bare.key),
        _one_by_one(slow, cells.take(pa.array(slow)), region, outside_prefix),
    )
    return keys.set_column(0, "cell", pa.array(keys["cell"].to_numpy() + start))


@dataclass(frozen=True, slots=True)
class _Keys:
    """Keys, each with the position of what it was read from, and its rank among that one's keys."""

    at: Positions
    rank: Positions
    key: pa.Array

    @classmethod
    def ranked(cls, at: Positions, rank: int, key: pa.Array) -> _Keys:
        return cls(at, np.full(len(at), rank, dtype="int64"), key)


def _flat(cells: pa.Array) -> pa.Array:
    cells = cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
    return cells.cast(pa.large_string())


def _mask(values: pa.Array) -> Mask:
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype="bool")


def _matches(text: pa.Array, pattern: str) -> Mask:
    return _mask(pc.match_substring_regex(text, pattern))


def _lengths(text: pa.Array) -> Positions:
    return np.asarray(pc.binary_length(text).to_numpy(zero_copy_only=False), dtype="int64")


def _joined(keys: list[_Keys]) -> _Keys:
    none = _Keys.ranked(np.empty(0, dtype="int64"), 0, pa.array([], pa.large_string()))
    keys = [k for k in keys if len(k.at)] or [none]
    return _Keys(
        np.concatenate([k.at for k in keys]),
        np.concatenate([k.rank for k in keys]),
        pa.concat_arrays([k.key for k in keys]),
    )


def _ordered(*keys: _Keys) -> pa.Table:
    """By cell and rank, a cell's second equal key left out."""
    every = _joined(list(keys))
    order = np.argsort(every.at * _RANKS + every.rank, kind="stable")
    at, key = every.at[order], every.key.take(pa.array(order))
    several = np.zeros(len(at), dtype="bool")
    same = at[1:] == at[:-1]
    several[1:] |= same
    several[:-1] |= same
    kept = np.ones(len(at), dtype="bool")
    seen: set[tuple[int, str]] = set()
    some = np.flatnonzero(several)
    for row, pair in zip(
        some.tolist(),
        zip(at[some].tolist(), key.take(pa.array(some)).to_pylist(), strict=True),
        strict=True,
    ):
        kept[row] = pair not in seen
        seen.add(pair)
    return pa.table({"cell": at[kept], "key": key.filter(pa.array(kept))})


def _one_by_one(at: Positions, cells: pa.Array, region: str, outside_prefix: str) -> _Keys:
    found = [
        (place, rank, key)
        for place, cell in zip(at.tolist(), cells.to_pylist(), strict=True)
        for rank, key in enumerate(phones.keys_or_text(cell, region, outside_prefix=outside_prefix))
    ]
    places, ranks, keys = zip(*found, strict=True) if found else ((), (), ())
    return _Keys(
        np.array(places, dtype="int64"),
        np.array(ranks, dtype="int64"),
        pa.array(keys, pa.large_string()),
    )


# ---------------------------------------------------------------------------- cells


def _is_plain(text: pa.Array) -> Mask:
    """Cells that are one number at most, and have nothing to be taken out or undone."""
    plain = _matches(text, _PLAIN)
    rest = np.flatnonzero(~plain)
    other = text.take(pa.array(rest))
    dotted = _matches(other, _DOTTED) & ~_matches(other, _NOT_DOTTED)
    plain[rest] = dotted | _matches(other, _SLASHED)
    doubtful = np.flatnonzero(plain & (_lengths(text) > phones.MAX_DIGITS + 1))
    plain[doubtful] = _lengths(_only_digits(text.take(pa.array(doubtful)))) <= phones.MAX_DIGITS
    parted = np.flatnonzero(plain & _matches(text, "[./-]"))
    plain[parted] = ~_matches(text.take(pa.array(parted)), _DATE)
    return plain


def _only_digits(text: pa.Array) -> pa.Array:
    return _only(text, b"0123456789")


def _only(text: pa.Array, kept: bytes) -> pa.Array:
    """Texts of which only some characters are left; a pattern would take five times as long."""
    offsets = np.frombuffer(text.buffers()[1], "int64")[text.offset :][: len(text) + 1]
    data = np.frombuffer(text.buffers()[2] or b"", "uint8")[offsets[0] : offsets[-1]]
    stays = np.zeros(256, dtype="bool")
    stays[list(kept)] = True
    stay = stays[data]
    before = np.zeros(len(data) + 1, dtype="int64")
    np.cumsum(stay, out=before[1:])
    return pa.LargeStringArray.from_buffers(
        len(text), pa.py_buffer(before[offsets - offsets[0]]), pa.py_buffer(data[stay])
    )


def _texts(text: pa.Array, found: _Keys) -> _Keys:
    """The digits of those that gave no key and are no placeholders, behind `phones.SHORT`."""
    none = np.ones(len(text), dtype="bool")
    none[found.at] = False
    at = np.flatnonzero(none)
    digits = _only_digits(text.take(pa.array(at)))
    several = ~_matches(digits, _one_digit_only()) & ~_is_placeholder(digits)
    at, digits = at[several], digits.filter(pa.array(several))
    return _Keys.ranked(at, 0, _prefixed(phones.SHORT, digits))


def _one_digit_only() -> str:
    return "^(?:" + "|".join(f"{digit}*" for digit in "0123456789") + ")$"


def _prefixed(prefix: str, digits: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(
        pa.scalar(prefix, pa.large_string()), digits, pa.scalar("", pa.large_string())
    )


def _values(digits: pa.Array) -> Positions:
    """Digits, of which there are 18 at most, as numbers: what is left without leading zeros."""
    empty = pc.equal(pc.binary_length(digits), 0)
    whole = pc.if_else(empty, pa.scalar("0", pa.large_string()), digits)
    return np.asarray(whole.cast(pa.int64()).to_numpy(zero_copy_only=False), dtype="int64")


def _is_placeholder(digits: pa.Array) -> Mask:
    values = _values(digits)
    place = np.searchsorted(_PLACEHOLDERS, values)
    listed = _PLACEHOLDERS[np.minimum(place, len(_PLACEHOLDERS) - 1)] == values
    return np.asarray(listed | (values % _ROUND == 0))


# ---------------------------------------------------------------------------- spellings

_Spelling = tuple["Positions", int, pa.Array]
"""Positions of cells, the rank of this spelling among a cell's, and the spellings."""
_STEP: Final = 8
"""More ranks than a spelling has keys, or a reading has spellings."""
_RANKS: Final = 1 << 24
"""More than the keys of a cell."""


def _readings(text: pa.Array, region: str, outside_prefix: str) -> _Keys:
    """The keys of plain cells; see `phones.keys`, whose order the ranks follow."""
    found = []
    for at, rank, number in _dialled(text, region, outside_prefix):
        for at_spelling, step, spelling in _with_plus(number, region):
            keys = _parsed(spelling, region)
            base = (rank * _STEP + step) * _STEP
            found.append(_Keys(at[at_spelling[keys.at]], keys.rank + base, keys.key))
    return _joined(found)


def _dialled(text: pa.Array, region: str, outside_prefix: str) -> Iterator[_Spelling]:
    """Digits as typed, without a zero in brackets, and without the outside line."""
    bracketed = np.flatnonzero(_matches(text, _BRACKETED))
    some = text.take(pa.array(bracketed))
    without = pc.replace_substring_regex(some, _TRUNK_ZERO, r"\1\2")
    mask = np.zeros(len(text), dtype="bool")
    mask[bracketed] = True
    first = pc.replace_with_mask(text, pa.array(mask), without)
    for rank, (at, written) in enumerate(((np.arange(len(text)), first), (bracketed, some))):
        digits = _with_own_plus(written)
        yield from _usable(at, rank * 2, digits, region)
        if outside_prefix:
            begins = np.flatnonzero(_mask(pc.starts_with(digits, outside_prefix)))
            rest = digits.take(pa.array(begins))
            rest = pc.utf8_slice_codeunits(rest, len(outside_prefix))
            yield from _usable(at[begins], rank * 2 + 1, rest, region)


def _with_own_plus(written: pa.Array) -> pa.Array:
    """Digits behind a plus, where there is one; no country code begins with a zero."""
    digits = _only(written, b"0123456789+")
    wrong = pc.starts_with(digits, "+0")
    return (
        pc.if_else(wrong, pc.utf8_slice_codeunits(digits, 1), digits)
        if pc.any(wrong).as_py()
        else digits
    )


def _usable(at: Positions, rank: int, number: pa.Array, region: str) -> Iterator[_Spelling]:
    """Those that are long enough and no placeholders."""
    digits = pc.ascii_ltrim(number, "+")
    usable = (_lengths(digits) >= phones.shortest(region)) & ~_is_placeholder(digits)
    yield at[usable], rank, number.filter(pa.array(usable))


def _with_plus(number: pa.Array, region: str) -> Iterator[_Spelling]:
    """As it is; with the plus that is written 00, 011 or lost; and with a lost zero."""
    every = np.arange(len(number))
    yield every, 0, number
    zeros, american = _matches(number, "^00[1-9]"), _matches(number, "^011[1-9]")
    bare = ~_mask(pc.starts_with(number, "0")) & ~_mask(pc.starts_with(number, "+"))
    long = bare & (_lengths(number) >= phones.LOCAL)
    short = np.flatnonzero(bare & ~long)
    valid = short[_is_valid(number.take(pa.array(short)))]
    lost = np.sort(np.concatenate([np.flatnonzero(long), valid]))
    for at, skipped in ((np.flatnonzero(zeros), 2), (np.flatnonzero(american), 3), (lost, 0)):
        rest = pc.utf8_slice_codeunits(number.take(pa.array(at)), skipped)
        yield at, 1, _prefixed("+", rest)
    if phones.keeps_zero(region):
        at = np.flatnonzero(bare)
        yield at, 2, _prefixed("0", number.take(pa.array(at)))


# ---------------------------------------------------------------------------- the library's steps


@dataclass(frozen=True, slots=True)
class _Rest:
    """National numbers: whose they are, the country code before them (0: none), and their digits.

    What the parser gives up is left out.
    """

    at: Positions
    code: Positions
    digits: pa.Array

    def only(self, mask: Mask) -> _Rest:
        return _Rest(self.at[mask], self.code[mask], self.digits.filter(pa.array(mask)))


def _parsed(number: pa.Array, region: str) -> _Keys:
    """`phones.parse` of each; keys in the order in which it gives them."""
    if not len(number):
        return _joined([])
    own = PhoneMetadata.metadata_for_region(region) if region in _regions() else None
    plus = _mask(pc.starts_with(number, "+"))
    at, home = np.flatnonzero(plus), np.flatnonzero(~plus)
    abroad = pc.utf8_slice_codeunits(number.take(pa.array(at)), 1)
    rests = [_by_code(at, abroad)]
    if own is not None:
        unknown = ~np.isin(at, rests[0].at) & (_lengths(abroad) > _SHORTEST)
        again = _of_region(at[unknown], abroad.filter(pa.array(unknown)), own)
        rests += [r.only(r.code != 0) for r in again]
        rests += _of_region(home, number.take(pa.array(home)), own)
    return _joined([keys for rest in rests for keys in _by_plan(rest, own)])


_SHORTEST: Final = 2


@cache
def _regions() -> frozenset[str]:
    return frozenset(phonenumbers.SUPPORTED_REGIONS)


@cache
def _code_lengths() -> NDArray[np.int8]:
    """The first three digits of a number → how many of them are its country code; 0: none."""
    lengths = np.zeros(1000, dtype="int8")
    for code in COUNTRY_CODE_TO_REGION_CODE:
        width = 10 ** (3 - len(str(code)))
        lengths[code * width : (code + 1) * width] = len(str(code))
    return lengths


def _by_code(at: Positions, digits: pa.Array) -> _Rest:
    """International numbers of a known country code, cut behind it."""
    if not len(at):
        return _Rest(at, at, digits)
    enough = _lengths(digits) > _SHORTEST
    at, digits = at[enough], digits.filter(pa.array(enough))
    first = _values(pc.utf8_slice_codeunits(digits, 0, 3))
    length = _code_lengths()[first].astype("int64")
    code = first // np.power(10, 3 - length)
    parts = [_Rest(at[:0], code[:0], digits.slice(0, 0))]
    for width in (1, 2, 3):
        mask = length == width
        rest = pc.utf8_slice_codeunits(digits.filter(pa.array(mask)), width)
        parts.append(_Rest(at[mask], code[mask], rest))
    return _Rest(
        np.concatenate([p.at for p in parts]),
        np.concatenate([p.code for p in parts]),
        pa.concat_arrays([p.digits for p in parts]),
    )


def _of_region(at: Positions, digits: pa.Array, own: PhoneMetadata) -> list[_Rest]:
    """Numbers dialled in a region: abroad, with its own country code, and without any."""
    if not len(at):
        return []
    dialled = np.zeros(len(at), dtype="bool")
    if own.international_prefix:
        prefix = f"^(?:{own.international_prefix})"
        dialled = _matches(digits, prefix)
        some = np.flatnonzero(dialled)
        rest = pc.replace_substring_regex(
            digits.take(pa.array(some)), prefix, "", max_replacements=1
        )
        really = ~_mask(pc.starts_with(rest, "0"))
        dialled[some[~really]] = False
        abroad = _by_code(at[dialled], rest.filter(pa.array(really)))
    home, number = at[~dialled], digits.filter(pa.array(~dialled))
    coded = np.flatnonzero(_mask(pc.starts_with(number, str(own.country_code))))
    cut = _without_own_code(number.take(pa.array(coded)), own)
    coded, cut = coded[cut[0]], cut[1]
    left = np.ones(len(home), dtype="bool")
    left[coded] = False
    code = np.full(len(home), own.country_code, dtype="int64")
    parts = [
        _Rest(home[coded], code[coded], cut),
        _Rest(home[left], code[left] * 0, number.filter(pa.array(left))),
    ]
    return [abroad, *parts] if own.international_prefix else parts


def _without_own_code(number: pa.Array, own: PhoneMetadata) -> tuple[Mask, pa.Array]:
    """Which numbers begin with the country code and not only with its digits; and their rests."""
    rest = pc.utf8_slice_codeunits(number, len(str(own.country_code)))
    rest = _without_prefix(rest, own)
    better = ~_fits(number, own) & _fits(rest, own)
    coded = better | (_possible(own)[_lengths(number)] == ValidationResult.TOO_LONG)
    return coded, rest.filter(pa.array(coded))


def _general(plan: PhoneMetadata | None) -> PhoneNumberDesc:
    """What all numbers of a plan have in common; the library has it for every plan it names."""
    if plan is None or plan.general_desc is None:
        raise ValueError("a region without a numbering plan")
    return plan.general_desc


def _fits(number: pa.Array, plan: PhoneMetadata) -> Mask:
    return _matches(number, f"^(?:{_general(plan).national_number_pattern})$")


def _possible(plan: PhoneMetadata) -> NDArray[np.int8]:
    """The library's judgement of a national number's length, by that length."""
    general = _general(plan)
    return _judgements(general.possible_length, general.possible_length_local_only)


@cache
def _judgements(lengths: tuple[int, ...], local: tuple[int, ...]) -> NDArray[np.int8]:
    table = np.full(32, ValidationResult.INVALID_LENGTH, dtype="int8")
    table[: lengths[0]] = ValidationResult.TOO_SHORT
    table[lengths[-1] + 1 :] = ValidationResult.TOO_LONG
    table[list(lengths)] = ValidationResult.IS_POSSIBLE
    table[list(local)] = ValidationResult.IS_POSSIBLE_LOCAL_ONLY
    return table


def _without_prefix(number: pa.Array, plan: PhoneMetadata) -> pa.Array:
    """National numbers without their trunk prefix, or with it where they need it."""
    prefix = plan.national_prefix_for_parsing
    if not prefix:
        return number
    begins = np.flatnonzero(_matches(number, f"^(?:{prefix})") & (_lengths(number) > 0))
    if not len(begins):
        return number
    some = number.take(pa.array(begins))
    rest = _cut_off(some, prefix, plan.national_prefix_transform_rule)
    spoilt = _fits(some, plan) & ~_fits(rest, plan)
    rest = pc.if_else(pa.array(spoilt), some, rest)
    changed = np.zeros(len(number), dtype="bool")
    changed[begins] = True
    return pc.replace_with_mask(number, pa.array(changed), rest)


def _cut_off(number: pa.Array, prefix: str, rule: str | None) -> pa.Array:
    """Without the prefix; or with what a plan puts in its place, if its last group matched."""
    if not rule:
        return pc.replace_substring_regex(number, f"^(?:{prefix})", "", max_replacements=1)
    pattern = re.compile(prefix)
    return pa.array([_transformed(n, pattern, rule) for n in number.to_pylist()], pa.large_string())


def _transformed(number: str, prefix: re.Pattern[str], rule: str) -> str:
    match = prefix.match(number)
    if match is None or match.groups()[-1] is None:
        return number[match.end() :] if match else number
    return prefix.sub(rule, number, count=1)


def _main_plan(code: int) -> PhoneMetadata:
    region = region_code_for_country_code(code)
    plan = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    if plan is None:
        raise ValueError(f"country code {code} without a numbering plan")
    return plan


def _by_plan(rest: _Rest, own: PhoneMetadata | None) -> Iterator[_Keys]:
    """National numbers as keys, a country code at a time."""
    if not len(rest.at):
        return
    order = np.argsort(rest.code, kind="stable")
    codes, starts = np.unique(rest.code[order], return_index=True)
    for code, rows in zip(codes.tolist(), np.split(order, starts[1:]), strict=True):
        same = len(rows) == len(order)
        digits = rest.digits if same else rest.digits.take(pa.array(rows))
        at = rest.at if same else rest.at[rows]
        if code:
            yield from _national(at, digits, code, _main_plan(code))
        elif own is not None:
            yield from _national(at, digits, own.country_code or 0, own)


def _significant(digits: pa.Array, plan: PhoneMetadata) -> pa.Array:
    """National significant numbers: the prefix goes only where a possible length is left."""
    rest = _without_prefix(digits, plan)
    length = _possible(plan)[_lengths(rest)]
    goes = (length == ValidationResult.IS_POSSIBLE) | (length == ValidationResult.TOO_LONG)
    return pc.if_else(pa.array(goes), rest, digits)


def _national(at: Positions, digits: pa.Array, code: int, plan: PhoneMetadata) -> Iterator[_Keys]:
    long = _lengths(digits) >= _SHORTEST
    number = _significant(digits.filter(pa.array(long)), plan)
    at = at[long]
    good = (_lengths(number) >= _SHORTEST) & (_lengths(number) <= _LONGEST)
    at, number = at[good], number.filter(pa.array(good))
    good = ~_is_placeholder(number)
    at, number = at[good], number.filter(pa.array(good))
    possible = _possible(_main_plan(code))[_lengths(number)] == ValidationResult.IS_POSSIBLE
    yield _Keys.ranked(at[possible], 0, _prefixed(f"+{code}", number.filter(pa.array(possible))))
    if code == phones.ITALY:
        bare = _matches(number, "^[124-9]")
        yield _Keys.ranked(at[bare], 1, _prefixed(f"+{code}0", number.filter(pa.array(bare))))
    if code in phones.MOBILE_MARKS:
        marked = _matches(number, f"^0*{phones.MOBILE_MARKS[code]}[0-9]{{{phones.LOCAL}}}")
        bare = pc.replace_substring_regex(number.filter(pa.array(marked)), "^0*[0-9]", "")
        yield _Keys.ranked(at[marked], 2, _prefixed(f"+{code}", bare))


# ---------------------------------------------------------------------------- validity


def _is_valid(number: pa.Array) -> Mask:
    """Whether digits without their plus are a valid international number."""
    valid = np.zeros(len(number), dtype="bool")
    rest = _by_code(np.arange(len(number)), number)
    for code in np.unique(rest.code).tolist():
        some = rest.only(rest.code == code)
        numbers = _significant(some.digits, _main_plan(code))
        maybe = np.flatnonzero(_may_be_valid(numbers, code))
        if len(COUNTRY_CODE_TO_REGION_CODE[code]) > 1:  # whose it is, the library must find out
            ask = number.take(pa.array(some.at[maybe])).to_pylist()
            maybe = maybe[np.array([phones.is_valid("+" + n) for n in ask], dtype="bool")]
        valid[some.at[maybe]] = True
    return valid


_TYPES: Final = (
    "premium_rate toll_free shared_cost voip personal_number pager uan voicemail fixed_line mobile"
).split()


def _may_be_valid(number: pa.Array, code: int) -> Mask:
    """Those that match a kind of number of a region with that country code."""
    found = np.zeros(len(number), dtype="bool")
    found_lengths = _lengths(number)
    for region in COUNTRY_CODE_TO_REGION_CODE[code]:
        plan = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
        general = _described(number, found_lengths, _general(plan))
        if general.any():
            kinds = [_described(number, found_lengths, getattr(plan, t)) for t in _TYPES]
            found |= general & np.logical_or.reduce(kinds)
    return found


def _described(number: pa.Array, lengths: Positions, kind: PhoneNumberDesc | None) -> Mask:
    """Whether numbers have a length and the digits of a kind."""
    if kind is None or not kind.national_number_pattern:
        return np.zeros(len(number), dtype="bool")
    fits = np.isin(lengths, list(kind.possible_length)) if kind.possible_length else lengths >= 0
    some = np.flatnonzero(fits)
    fits = fits.copy()
    fits[some] = _matches(number.take(pa.array(some)), f"^(?:{kind.national_number_pattern})$")
    return np.asarray(fits, dtype="bool")
