"""Countries as people write them in a CRM."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.core.countries import alpha2


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        *[("DE", "DE"), ("de", "DE"), ("DEU", "DE"), ("Germany", "DE"), ("Deutschland", "DE")],
        *[("Allemagne", "DE"), ("Alemania", "DE"), ("Germania", "DE"), ("Duitsland", "DE")],
        *[("BRD", "DE"), ("D", "DE"), ("GER", "DE"), (" deutschland ", "DE")],
        *[("UK", "GB"), ("U.K.", "GB"), ("England", "GB"), ("Großbritannien", "GB")],
        *[("Grossbritannien", "GB"), ("Royaume-Uni", "GB"), ("Scotland", "GB")],
        *[("USA", "US"), ("U.S.A.", "US"), ("United States of America", "US"), ("EE. UU.", "US")],
        *[("Österreich", "AT"), ("Oesterreich", "AT"), ("OSTERREICH", "AT"), ("Autriche", "AT")],
        *[("Schweiz", "CH"), ("Suisse", "CH"), ("Svizzera", "CH"), ("Zwitserland", "CH")],
        *[("Holland", "NL"), ("The Netherlands", "NL"), ("Pays-Bas", "NL")],
        *[("Czech Republic", "CZ"), ("Czechia", "CZ"), ("Tschechien", "CZ")],
        *[("Turkey", "TR"), ("Türkiye", "TR"), ("Tuerkei", "TR"), ("Türkei", "TR")],
        *[("UAE", "AE"), ("UA", "UA"), ("VAE", "AE"), ("VA", "VA"), ("CR", "CR")],
        *[("Côte d\u2019Ivoire", "CI"), ("Cote d'Ivoire", "CI"), ("Ivory Coast", "CI")],
        *[("Russian Federation", "RU"), ("Russland", "RU"), ("Russie", "RU")],
        *[("South Korea", "KR"), ("Korea, Republic of", "KR"), ("Kosovo", "XK")],
        *[("Niger", "NE"), ("Nigeria", "NG"), ("Dominica", "DM"), ("Dominican Republic", "DO")],
        *[("Bosnia and Herzegovina", "BA"), ("Viet Nam", "VN"), ("Hong Kong", "HK")],
    ],
)
def test_a_country_in_the_ways_people_write_it(written, expected):
    assert alpha2(written) == expected


@pytest.mark.parametrize("written", ["", " ", "-", "n/a", "Europe", "Bayern", "ZZ", "12345"])
def test_what_is_no_country_gives_nothing(written):
    assert alpha2(written) == ""


ELSEWHERE = {"AC", "TA"}
"""Ascension and Tristan da Cunha have numbers of their own, but no code in ISO 3166."""


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS - ELSEWHERE))
def test_every_region_that_has_numbers_is_known_by_its_code(region):
    assert alpha2(region.lower()) == region


@given(st.text(max_size=40))
def test_whatever_stands_there_it_gives_a_code_or_nothing(written):
    assert len(alpha2(written)) in {0, 2}
