"""A country as people write it in a CRM → its ISO 3166-1 alpha-2 code.

A table, and nothing else: codes, the names in English, German, French, Spanish, Italian and Dutch
(those of Unicode CLDR), and what people write besides, such as UK, USA and BRD. They are compared
without case, accents, blanks and punctuation. phonenumbers has such a table too, but reading it
costs 100 MB of memory; Babel's weighs 33 MB and knows no abbreviations.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Final

from reconcile.core.text import fold

# One country a paragraph: alpha-2, alpha-3, names. A line that begins with a blank goes on.
_COUNTRIES: Final = """
AD AND Andorra | Andorre
AE ARE United Arab Emirates | Vereinigte Arabische Emirate | Émirats arabes unis | Emiratos
  Árabes Unidos | Emirati Arabi Uniti | Verenigde Arabische Emiraten | UAE | VAE | Emirates |
  Dubai | Abu Dhabi | EAU | Émirats | Emirate
AF AFG Afghanistan | Afganistán
AG ATG Antigua & Barbuda | Antigua und Barbuda | Antigua-et-Barbuda | Antigua y Barbuda |
  Antigua e Barbuda | Antigua en Barbuda
AI AIA Anguilla | Anguila
AL ALB Albania | Albanien | Albanie
AM ARM Armenia | Armenien | Arménie
AO AGO Angola
AQ ATA Antarctica | Antarktis | Antarctique | Antártida | Antartide
AR ARG Argentina | Argentinien | Argentine | Argentinië
AS ASM American Samoa | Amerikanisch-Samoa | Samoa américaines | Samoa Americana | Samoa
  Americane | Amerikaans-Samoa
AT AUT Austria | Österreich | Autriche | Oostenrijk | A | Republik Österreich | Oesterreich
AU AUS Australia | Australien | Australie | Commonwealth of Australia
AW ABW Aruba
AX ALA Åland Islands | Ålandinseln | Îles Åland | Islas Aland | Isole Åland | Åland
AZ AZE Azerbaijan | Aserbaidschan | Azerbaïdjan | Azerbaiyán | Azerbaigian | Azerbeidzjan
BA BIH Bosnia & Herzegovina | Bosnien und Herzegowina | Bosnie-Herzégovine | Bosnia y
  Herzegovina | Bosnia ed Erzegovina | Bosnië en Herzegovina | Bosnia | Bosnien | Bosnie | Bosnia
  and Herzegovina | Bosnien-Herzegowina
BB BRB Barbados | Barbade
BD BGD Bangladesh | Bangladesch | Bangladés
BE BEL Belgium | Belgien | Belgique | Bélgica | Belgio | België | B
BF BFA Burkina Faso
BG BGR Bulgaria | Bulgarien | Bulgarie | Bulgarije | BUL
BH BHR Bahrain | Bahreïn | Baréin
BI BDI Burundi
BJ BEN Benin
BL BLM St. Barthélemy | Saint-Barthélemy | San Bartolomé
BM BMU Bermuda | Bermudes | Bermudas
BN BRN Brunei | Brunei Darussalam
BO BOL Bolivia | Bolivien | Bolivie | Plurinational State of Bolivia | Bolivia, Plurinational
  State of
BQ BES Caribbean Netherlands | Karibische Niederlande | Pays-Bas caribéens | Caribe neerlandés |
  Caraibi Olandesi | Caribisch Nederland
BR BRA Brazil | Brasilien | Brésil | Brasil | Brasile | Brazilië
BS BHS Bahamas | The Bahamas
BT BTN Bhutan | Bhoutan | Bután
BV BVT Bouvet Island | Bouvetinsel | Île Bouvet | Isla Bouvet | Isola Bouvet | Bouveteiland
BW BWA Botswana | Botsuana
BY BLR Belarus | Biélorussie | Bielorrusia | Bielorussia | Weissrussland | Wit-Rusland |
  Belorussia
BZ BLZ Belize | Belice
CA CAN Canada | Kanada
CC CCK Cocos (Keeling) Islands | Kokosinseln | Îles Cocos | Islas Cocos | Isole Cocos (Keeling)
  | Cocoseilanden
CD COD Congo - Kinshasa | Kongo-Kinshasa | República Democrática del Congo | DRC | DR Congo |
  Democratic Republic of the Congo | Congo, Democratic Republic of the | Demokratische Republik
  Kongo | République démocratique du Congo | RDC | Zaire
CF CAF Central African Republic | Zentralafrikanische Republik | République centrafricaine |
  República Centroafricana | Repubblica Centrafricana | Centraal-Afrikaanse Republiek
CG COG Congo - Brazzaville | Kongo-Brazzaville | Congo | Kongo | Republic of the Congo |
  Republik Kongo
CH CHE Switzerland | Schweiz | Suisse | Suiza | Svizzera | Zwitserland | SUI | Schweizerische
  Eidgenossenschaft | Swiss | Confoederatio Helvetica | Confédération suisse
CI CIV Côte d'Ivoire | Costa d'Avorio | Ivoorkust | Ivory Coast | Elfenbeinküste | Costa de
  Marfil
CK COK Cook Islands | Cookinseln | Îles Cook | Islas Cook | Isole Cook | Cookeilanden
CL CHL Chile | Chili | Cile
CM CMR Cameroon | Kamerun | Cameroun | Camerún | Kameroen
CN CHN China | Chine | Cina | PRC | People's Republic of China | Volksrepublik China | VR China
  | P.R. China | Mainland China
CO COL Colombia | Kolumbien | Colombie
CR CRI Costa Rica
CU CUB Cuba | Kuba
CV CPV Cape Verde | Cabo Verde | Cap-Vert | Capo Verde | Kaapverdië | Kap Verde
CW CUW Curaçao | Curazao
CX CXR Christmas Island | Weihnachtsinsel | Île Christmas | Isla de Navidad | Isola Christmas |
  Christmaseiland
CY CYP Cyprus | Zypern | Chypre | Chipre | Cipro
CZ CZE Czechia | Tschechien | Tchéquie | Chequia | Cechia | Tsjechië | Czech Republic |
  Tschechische Republik | République tchèque | República Checa | Repubblica Ceca | Tsjechische
  Republiek | Česko | Česká republika
DE DEU Germany | Deutschland | Allemagne | Alemania | Germania | Duitsland | BRD |
  Bundesrepublik Deutschland | Federal Republic of Germany | FRG | GER | D | République fédérale
  d'Allemagne | Bondsrepubliek Duitsland
DJ DJI Djibouti | Dschibuti | Yibuti | Gibuti
DK DNK Denmark | Dänemark | Dinamarca | Danimarca | Denemarken | DEN
DM DMA Dominica | Dominique
DO DOM Dominican Republic | Dominikanische Republik | République dominicaine | República
  Dominicana | Repubblica Dominicana | Dominicaanse Republiek | Dominican Rep. | Dom. Rep.
DZ DZA Algeria | Algerien | Algérie | Argelia | Algerije
EC ECU Ecuador | Équateur
EE EST Estonia | Estland | Estonie | Eesti
EG EGY Egypt | Ägypten | Égypte | Egipto | Egitto
EH ESH Western Sahara | Westsahara | Sahara occidental | Sahara Occidentale | Westelijke Sahara
ER ERI Eritrea | Érythrée
ES ESP Spain | Spanien | Espagne | España | Spagna | Spanje | E | Kingdom of Spain | Reino de
  España
ET ETH Ethiopia | Äthiopien | Éthiopie | Etiopía
FI FIN Finland | Finnland | Finlande | Finlandia
FJ FJI Fiji | Fidschi | Fidji | Fiyi | Figi
FK FLK Falkland Islands | Falklandinseln | Îles Malouines | Islas Malvinas | Isole Falkland |
  Falklandeilanden
FM FSM Micronesia | Mikronesien | Micronésie | Federated States of Micronesia | Micronesia,
  Federated States of
FO FRO Faroe Islands | Färöer | Îles Féroé | Islas Feroe | Isole Fær Øer | Faeröer
FR FRA France | Frankreich | Francia | Frankrijk | F | République française
GA GAB Gabon | Gabun
GB GBR United Kingdom | Vereinigtes Königreich | Royaume-Uni | Reino Unido | Regno Unito |
  Verenigd Koninkrijk | UK | Great Britain | Britain | England | Scotland | Wales | Northern
  Ireland | Großbritannien | Grande-Bretagne | Gran Bretaña | Gran Bretagna | Groot-Brittannië |
  Angleterre | Inglaterra | Inghilterra | Engeland | Schottland | Écosse | Nordirland | United
  Kingdom of Great Britain and Northern Ireland
GD GRD Grenada | Grenade | Granada
GE GEO Georgia | Georgien | Géorgie
GF GUF French Guiana | Französisch-Guayana | Guyane française | Guayana Francesa | Guyana
  Francese | Frans-Guyana
GG GGY Guernsey | Guernesey
GH GHA Ghana
GI GIB Gibraltar | Gibilterra
GL GRL Greenland | Grönland | Groenland | Groenlandia
GM GMB Gambia | Gambie | The Gambia
GN GIN Guinea | Guinée
GP GLP Guadeloupe | Guadalupe | Guadalupa
GQ GNQ Equatorial Guinea | Äquatorialguinea | Guinée équatoriale | Guinea Ecuatorial | Guinea
  Equatoriale | Equatoriaal-Guinea
GR GRC Greece | Griechenland | Grèce | Grecia | Griekenland | EL | Hellas | GRE | Hellenic
  Republic
GS SGS South Georgia & South Sandwich Islands | Südgeorgien und die Südlichen Sandwichinseln |
  Géorgie du Sud-et-les Îles Sandwich du Sud | Islas Georgia del Sur y Sandwich del Sur | Georgia
  del Sud e Sandwich Australi | Zuid-Georgia en Zuidelijke Sandwicheilanden
GT GTM Guatemala
GU GUM Guam
GW GNB Guinea-Bissau | Guinée-Bissau | Guinea-Bisáu
GY GUY Guyana
HK HKG Hong Kong SAR China | Sonderverwaltungsregion Hongkong | R.A.S. chinoise de Hong Kong |
  RAE de Hong Kong (China) | RAS di Hong Kong | Hongkong SAR van China | Hong Kong | Hong Kong SAR
  | SAR Hong Kong
HM HMD Heard & McDonald Islands | Heard und McDonaldinseln | Îles Heard-et-MacDonald | Islas
  Heard y McDonald | Isole Heard e McDonald | Heard en McDonaldeilanden
HN HND Honduras
HR HRV Croatia | Kroatien | Croatie | Croacia | Croazia | Kroatië | Hrvatska | CRO
HT HTI Haiti
HU HUN Hungary | Ungarn | Hongrie | Hungría | Ungheria | Hongarije
ID IDN Indonesia | Indonesien | Indonésie
IE IRL Ireland | Irland | Irlande | Irlanda | Ierland | Republic of Ireland | Eire | Irish
  Republic
IL ISR Israel | Israele | State of Israel
IM IMN Isle of Man | Île de Man | Isla de Man | Isola di Man
IN IND India | Indien | Inde
IO IOT British Indian Ocean Territory | Britisches Territorium im Indischen Ozean | Territoire
  britannique de l'océan Indien | Territorio Británico del Océano Índico | Territorio Britannico
  dell'Oceano Indiano | Brits Indische Oceaanterritorium
IQ IRQ Iraq | Irak
IR IRN Iran | Islamic Republic of Iran | Iran, Islamic Republic of
IS ISL Iceland | Island | Islande | Islandia | Islanda | IJsland
IT ITA Italy | Italien | Italie | Italia | I | Italian Republic | Repubblica Italiana
JE JEY Jersey
JM JAM Jamaica | Jamaika | Jamaïque | Giamaica
JO JOR Jordan | Jordanien | Jordanie | Jordania | Giordania
JP JPN Japan | Japon | Giappone | Nippon | Nihon
KE KEN Kenya | Kenia
KG KGZ Kyrgyzstan | Kirgisistan | Kirghizstan | Kirguistán | Kirghizistan | Kirgizië | Kirgisien
  | Kirgistan
KH KHM Cambodia | Kambodscha | Cambodge | Camboya | Cambogia | Cambodja
KI KIR Kiribati
KM COM Comoros | Komoren | Comores | Comoras | Comore | Comoren
KN KNA St. Kitts & Nevis | St. Kitts und Nevis | Saint-Christophe-et-Niévès | San Cristóbal y
  Nieves | Saint Kitts e Nevis | Saint Kitts en Nevis
KP PRK North Korea | Nordkorea | Corée du Nord | Corea del Norte | Corea del Nord | Noord-Korea
  | DPRK | Korea, North | Korea, Democratic People's Republic of
KR KOR South Korea | Südkorea | Corée du Sud | Corea del Sur | Corea del Sud | Zuid-Korea |
  Korea | Republic of Korea | Korea, Republic of | Republik Korea | Corée | Corea | ROK | Korea,
  South
KW KWT Kuwait | Koweït | Koeweit
KY CYM Cayman Islands | Kaimaninseln | Îles Caïmans | Islas Caimán | Isole Cayman |
  Kaaimaneilanden
KZ KAZ Kazakhstan | Kasachstan | Kazajistán | Kazakistan | Kazachstan
LA LAO Laos | Lao People's Democratic Republic
LB LBN Lebanon | Libanon | Liban | Líbano
LC LCA St. Lucia | Sainte-Lucie | Santa Lucía | Saint Lucia
LI LIE Liechtenstein | Fürstentum Liechtenstein
LK LKA Sri Lanka
LR LBR Liberia
LS LSO Lesotho | Lesoto
LT LTU Lithuania | Litauen | Lituanie | Lituania | Litouwen | Lietuva
LU LUX Luxembourg | Luxemburg | Luxemburgo | Lussemburgo | L
LV LVA Latvia | Lettland | Lettonie | Letonia | Lettonia | Letland | Latvija | LAT
LY LBY Libya | Libyen | Libye | Libia | Libië
MA MAR Morocco | Marokko | Maroc | Marruecos | Marocco
MC MCO Monaco | Principality of Monaco
MD MDA Moldova | Republik Moldau | Moldavie | Moldavia | Moldawien | Republic of Moldova |
  Moldova, Republic of
ME MNE Montenegro
MF MAF St. Martin | Saint-Martin | San Martín
MG MDG Madagascar | Madagaskar
MH MHL Marshall Islands | Marshallinseln | Îles Marshall | Islas Marshall | Isole Marshall |
  Marshalleilanden
MK MKD North Macedonia | Nordmazedonien | Macédoine du Nord | Macedonia del Norte | Macedonia
  del Nord | Noord-Macedonië | Macedonia | FYROM | Mazedonien | Macédoine | Republic of North
  Macedonia
ML MLI Mali
MM MMR Myanmar (Burma) | Myanmar | Myanmar (Birmanie) | Myanmar (Birmania) | Myanmar (Birma) |
  Burma | Birma | Birmanie | Birmania
MN MNG Mongolia | Mongolei | Mongolie
MO MAC Macao SAR China | Sonderverwaltungsregion Macau | R.A.S. chinoise de Macao | RAE de Macao
  (China) | RAS di Macao | Macau SAR van China | Macau | Macao | Macao SAR
MP MNP Northern Mariana Islands | Nördliche Marianen | Îles Mariannes du Nord | Islas Marianas
  del Norte | Isole Marianne Settentrionali | Noordelijke Marianen
MQ MTQ Martinique | Martinica
MR MRT Mauritania | Mauretanien | Mauritanie
MS MSR Montserrat
MT MLT Malta | Malte
MU MUS Mauritius | Maurice | Mauricio
MV MDV Maldives | Malediven | Maldivas | Maldive | Maldiven
MW MWI Malawi | Malaui
MX MEX Mexico | Mexiko | Mexique | Messico | Méjico
MY MYS Malaysia | Malaisie | Malasia | Maleisië
MZ MOZ Mozambique | Mosambik | Mozambico
NA NAM Namibia | Namibie
NC NCL New Caledonia | Neukaledonien | Nouvelle-Calédonie | Nueva Caledonia | Nuova Caledonia |
  Nieuw-Caledonië
NE NER Niger
NF NFK Norfolk Island | Norfolkinsel | Île Norfolk | Isla Norfolk | Isola Norfolk | Norfolk
NG NGA Nigeria
NI NIC Nicaragua
NL NLD Netherlands | Niederlande | Pays-Bas | Países Bajos | Paesi Bassi | Nederland | Holland |
  Hollande | Holanda | Olanda | The Netherlands | NED | Koninkrijk der Nederlanden
NO NOR Norway | Norwegen | Norvège | Noruega | Norvegia | Noorwegen
NP NPL Nepal
NR NRU Nauru
NU NIU Niue
NZ NZL New Zealand | Neuseeland | Nouvelle-Zélande | Nueva Zelanda | Nuova Zelanda |
  Nieuw-Zeeland
OM OMN Oman
PA PAN Panama
PE PER Peru | Pérou
PF PYF French Polynesia | Französisch-Polynesien | Polynésie française | Polinesia Francesa |
  Polinesia Francese | Frans-Polynesië
PG PNG Papua New Guinea | Papua-Neuguinea | Papouasie-Nouvelle-Guinée | Papúa Nueva Guinea |
  Papua Nuova Guinea | Papoea-Nieuw-Guinea
PH PHL Philippines | Philippinen | Filipinas | Filippine | Filipijnen | The Philippines
PK PAK Pakistan
PL POL Poland | Polen | Pologne | Polonia | Polska
PM SPM St. Pierre & Miquelon | St. Pierre und Miquelon | Saint-Pierre-et-Miquelon | San Pedro y
  Miquelón | Saint-Pierre e Miquelon | Saint-Pierre en Miquelon
PN PCN Pitcairn Islands | Pitcairninseln | Îles Pitcairn | Islas Pitcairn | Isole Pitcairn |
  Pitcairneilanden
PR PRI Puerto Rico | Porto Rico
PS PSE Palestinian Territories | Palästinensische Autonomiegebiete | Territoires palestiniens |
  Territorios Palestinos | Territori Palestinesi | Palestijnse gebieden | Palestine | Palestinian
  Territory | State of Palestine | Palestine, State of | Palästina
PT PRT Portugal | Portogallo | POR
PW PLW Palau | Palaos
PY PRY Paraguay
QA QAT Qatar | Katar | Catar
RE REU Réunion | La Réunion | Riunione
RO ROU Romania | Rumänien | Roumanie | Rumanía | Roemenië
RS SRB Serbia | Serbien | Serbie | Servië
RU RUS Russia | Russland | Russie | Rusia | Rusland | Russian Federation | Russische Föderation
  | Fédération de Russie | Federación de Rusia | Federazione Russa | Russische Federatie
RW RWA Rwanda | Ruanda
SA SAU Saudi Arabia | Saudi-Arabien | Arabie saoudite | Arabia Saudí | Arabia Saudita |
  Saoedi-Arabië | KSA | Kingdom of Saudi Arabia | Saudi
SB SLB Solomon Islands | Salomonen | Îles Salomon | Islas Salomón | Isole Salomone |
  Salomonseilanden
SC SYC Seychelles | Seychellen
SD SDN Sudan | Soudan | Soedan
SE SWE Sweden | Schweden | Suède | Suecia | Svezia | Zweden
SG SGP Singapore | Singapur | Singapour | Republic of Singapore
SH SHN St. Helena | Sainte-Hélène | Santa Elena | Sant'Elena | Sint-Helena
SI SVN Slovenia | Slowenien | Slovénie | Eslovenia | Slovenija | SLO
SJ SJM Svalbard & Jan Mayen | Spitzbergen und Jan Mayen | Svalbard et Jan Mayen | Svalbard y Jan
  Mayen | Svalbard e Jan Mayen | Spitsbergen en Jan Mayen
SK SVK Slovakia | Slowakei | Slovaquie | Eslovaquia | Slovacchia | Slowakije | Slovak Republic |
  Slowakische Republik | Slovensko
SL SLE Sierra Leone | Sierra Leona
SM SMR San Marino | Saint-Marin
SN SEN Senegal
SO SOM Somalia | Somalie
SR SUR Suriname | Surinam
SS SSD South Sudan | Südsudan | Soudan du Sud | Sudán del Sur | Zuid-Soedan
ST STP São Tomé & Príncipe | São Tomé und Príncipe | Sao Tomé-et-Principe | Santo Tomé y
  Príncipe | São Tomé e Príncipe | Sao Tomé en Principe
SV SLV El Salvador | Salvador
SX SXM Sint Maarten | Saint-Martin (partie néerlandaise)
SY SYR Syria | Syrien | Syrie | Siria | Syrian Arab Republic
SZ SWZ Eswatini | Esuatini | Swaziland | Swasiland
TC TCA Turks & Caicos Islands | Turks- und Caicosinseln | Îles Turques-et-Caïques | Islas Turcas
  y Caicos | Isole Turks e Caicos | Turks- en Caicoseilanden
TD TCD Chad | Tschad | Tchad | Ciad | Tsjaad
TF ATF French Southern Territories | Französische Süd- und Antarktisgebiete | Terres australes
  françaises | Territorios Australes Franceses | Terre Australi Francesi | Franse Gebieden in de
  zuidelijke Indische Oceaan
TG TGO Togo
TH THA Thailand | Thaïlande | Tailandia | Thailandia
TJ TJK Tajikistan | Tadschikistan | Tadjikistan | Tayikistán | Tagikistan | Tadzjikistan
TK TKL Tokelau
TL TLS Timor-Leste | Timor oriental | Timor Est | Oost-Timor | East Timor | Osttimor
TM TKM Turkmenistan
TN TUN Tunisia | Tunesien | Tunisie | Túnez | Tunesië
TO TON Tonga
TR TUR Türkiye | Türkei | Turquie | Turquía | Turchia | Turkije | Turkey
TT TTO Trinidad & Tobago | Trinidad und Tobago | Trinité-et-Tobago | Trinidad y Tobago |
  Trinidad e Tobago | Trinidad en Tobago
TV TUV Tuvalu
TW TWN Taiwan | Republic of China | Taiwan, Province of China | Taiwan ROC
TZ TZA Tanzania | Tansania | Tanzanie | United Republic of Tanzania | Tanzania, United Republic
  of
UA UKR Ukraine | Ucrania | Ucraina | Oekraïne
UG UGA Uganda | Ouganda | Oeganda
UM UMI U.S. Outlying Islands | Amerikanische Überseeinseln | Îles mineures éloignées des
  États-Unis | Islas menores alejadas de EE. UU. | Isole Minori Esterne degli Stati Uniti | Kleine
  afgelegen eilanden van de Verenigde Staten
US USA United States | Vereinigte Staaten | États-Unis | Estados Unidos | Stati Uniti |
  Verenigde Staten | United States of America | America | Vereinigte Staaten von Amerika | Amerika
  | États-Unis d'Amérique | EE. UU. | EUA | Estados Unidos de América | Stati Uniti d'America |
  Verenigde Staten van Amerika | The United States
UY URY Uruguay
UZ UZB Uzbekistan | Usbekistan | Ouzbékistan | Oezbekistan
VA VAT Vatican City | Vatikanstadt | État de la Cité du Vatican | Ciudad del Vaticano | Città
  del Vaticano | Vaticaanstad | Vatican | Vatikan | Holy See | Vatican City State | Heiliger Stuhl
  | Saint-Siège | Santa Sede
VC VCT St. Vincent & Grenadines | St. Vincent und die Grenadinen | Saint-Vincent-et-les
  Grenadines | San Vicente y las Granadinas | Saint Vincent e Grenadine | Saint Vincent en de
  Grenadines
VE VEN Venezuela | Bolivarian Republic of Venezuela | Venezuela, Bolivarian Republic of
VG VGB British Virgin Islands | Britische Jungferninseln | Îles Vierges britanniques | Islas
  Vírgenes Británicas | Isole Vergini Britanniche | Britse Maagdeneilanden
VI VIR U.S. Virgin Islands | Amerikanische Jungferninseln | Îles Vierges des États-Unis | Islas
  Vírgenes de EE. UU. | Isole Vergini Americane | Amerikaanse Maagdeneilanden
VN VNM Vietnam
VU VUT Vanuatu
WF WLF Wallis & Futuna | Wallis und Futuna | Wallis-et-Futuna | Wallis y Futuna | Wallis e
  Futuna | Wallis en Futuna
WS WSM Samoa
XK XKX Kosovo | Kosova | RKS
YE YEM Yemen | Jemen
YT MYT Mayotte
ZA ZAF South Africa | Südafrika | Afrique du Sud | Sudáfrica | Zuid-Afrika | RSA | Republic of
  South Africa | Suid-Afrika
ZM ZMB Zambia | Sambia | Zambie
ZW ZWE Zimbabwe | Simbabwe | Zimbabue
"""
_BETWEEN: Final = re.compile(r"[^\w/]|_")
"""What is neither letter nor digit; n/a is not the NA of Namibia."""
_LIGATURES: Final = str.maketrans({"\u00e6": "ae", "\u00f8": "o", "\u0142": "l", "\u0131": "i"})


def alpha2(country: str) -> str:
    """The alpha-2 code of a country, or "" for what is no country that we know."""
    exact, folded = _tables()
    return exact.get(_key(country)) or folded.get(_folded(country), "")


def _key(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold()).translate(_LIGATURES)
    return _BETWEEN.sub("", plain)


def _folded(text: str) -> str:
    """As names of people are compared: Oesterreich is \u00d6sterreich."""
    return _key(fold(text))


@cache
def _tables() -> tuple[dict[str, str], dict[str, str]]:
    """Name or code → alpha-2; and the same for names whose umlauts may be written out.

    Codes are not folded: UAE would become the UA of Ukraine.
    """
    exact: dict[str, str] = {}
    folded: dict[str, str] = {}
    for line in _COUNTRIES.replace("\n ", "").strip().splitlines():
        code, three, names = line.split(maxsplit=2)
        exact |= {_key(code): code, _key(three): code}
        for name in names.split("|"):
            exact.setdefault(_key(name), code)
            if len(_key(name)) > len(three):
                folded.setdefault(_folded(name), code)
    return exact, folded
