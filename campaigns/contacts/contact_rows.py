"""One row of a file of contacts: its columns, and what it names once its cells are read."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from campaigns.contacts.contacts import LANGUAGES, NAME_CHARS, county_of, normal
from campaigns.contacts.imported import Row
from campaigns.contacts.local_hours import zones_of
from campaigns.models import Contact, ContactConsent

LABELS = {
    "name": "Name",
    "first": "First name",
    "last": "Last name",
    "email": "E-mail",
    "number": "Mobile number",
    "language": "Language",
    "county": "County",
    "zone": "Time zone",
    "agreed": "Day they agreed",
    "how": "How they agreed",
    "evidence": "Where the proof is",
    "wording": "Words they agreed to",
}
# Other names of these columns, met in exports of address books, sign-up sheets and mailing tools.
NAMES: dict[str, Collection[str]] = {
    "name": ("full name", "contact", "contact name", "person"),
    "first": ("first name", "given name", "firstname"),
    "last": ("last name", "surname", "family name", "lastname"),
    "email": ("e-mail address", "mail", "email address", "e-mail 1 - value"),
    "number": (
        *("mobile", "mobile number", "mobile phone", "cell", "cell phone", "cell number"),
        *("phone", "phone number", "telephone", "text", "sms", "phone 1 - value"),
    ),
    "language": ("lang", "preferred language", "writes and reads"),
    "county": ("county name", "county fips", "fips", "fips code"),
    "zone": ("time zone", "timezone", "iana time zone"),
    "agreed": (
        *("agreed on", "day they agreed", "date agreed", "consent date", "date of consent"),
        *("opt-in date", "opt in time", "signed on", "date signed", "consented on"),
    ),
    "how": ("how they agreed", "how obtained", "consent method", "opt-in method", "method"),
    "evidence": ("proof", "where the proof is", "consent evidence", "proof of consent"),
    "wording": ("words they agreed to", "agreed to", "consent wording", "consent text", "words"),
}
CONSENT = ("agreed", "how", "evidence", "wording")
COUNTIES = 400  # spelt in different ways in one file; looking one up takes a hundredth of a second
ADDRESSES = {"email": "email", "number": "sms"}  # by field, the channel


@dataclass(frozen=True)
class Given:
    """A consent as the file proves it."""

    given_at: datetime
    how: str
    evidence: str
    wording: str

    def is_of(self, known: ContactConsent) -> bool:
        """Whether this is what is recorded already."""
        return (self.given_at, self.how, self.evidence, self.wording) == (
            known.given_at,
            known.how,
            known.evidence,
            known.wording,
        )


@dataclass
class ContactRow:
    """A row, what of a contact it names, and what is to be done with it."""

    row: Row
    known: dict[str, str | None] = field(default_factory=dict)  # name, language, county, zone
    addresses: dict[str, str] = field(default_factory=dict)  # by channel, normal
    consent: Given | None = None
    contact: Contact | None = None  # whom the desk knows by one of the addresses
    changes: dict[str, str | None] = field(default_factory=dict)  # of what is known of them
    to_add: list[str] = field(default_factory=list)  # channels of addresses that are new
    agreed: list[str] = field(default_factory=list)  # channels of which the consent is recorded
    joins: bool = False  # the list


def read(row: Row, counties: dict[str, str | None], zone: tzinfo, now: datetime) -> ContactRow:
    """What a row names, with faults in it for what cannot be read.

    ``counties`` remembers what was looked up for earlier rows; ``zone`` is that of the days.
    """
    one, cells = ContactRow(row), row.cells
    if row.faults:
        return one
    name = cells["name"] or f"{cells['first']} {cells['last']}".strip()
    row.cells = cells = {**cells, "name": name}
    if not name or len(name) > NAME_CHARS:
        row.fault("name", f"The contact needs a name of up to {NAME_CHARS} characters.")
    for of, channel in ADDRESSES.items():
        if cells[of]:
            try:
                one.addresses[channel] = normal(channel, cells[of])
            except ValueError as fault:
                row.fault(of, f"“{cells[of]}”: {fault}")
    if not cells["email"] and not cells["number"]:
        row.fault("email", "There is neither an e-mail address nor a mobile number.")
    one.known = {
        "name": name,
        "language": _language(row),
        "county": _county(row, counties),
        "zone": _zone(row),
    }
    given_at = row.day("agreed", zone)
    if given_at is not None and given_at > now:
        row.fault("agreed", "Nobody can have agreed on a day to come.")
    if given_at is not None and all(cells[of] for of in CONSENT):
        one.consent = Given(given_at, cells["how"], cells["evidence"], cells["wording"])
    missing = [LABELS[of] for of in CONSENT if not cells[of]]
    if 0 < len(missing) < len(CONSENT):
        row.wont.append(f"No consent is recorded from this row. Missing: {', '.join(missing)}.")
    return one


def _language(row: Row) -> str | None:
    typed = row.cells["language"].casefold()
    spoken = {"español": "es", "espanol": "es"} | {
        said.casefold(): code for code, words in LANGUAGES.items() for said in (code, words)
    }
    code = spoken.get(typed) or spoken.get(typed.split("-")[0].split("_")[0])
    if typed and code is None:
        row.fault("language", f"“{typed}” is not {' or '.join(LANGUAGES.values())}.")
    return code


def _county(row: Row, counties: dict[str, str | None]) -> str | None:
    typed = row.cells["county"]
    if typed.isdecimal():
        typed = typed.zfill(5)  # a spreadsheet takes the zero of Alabama to California away
    if typed not in counties and len(counties) > COUNTIES:
        row.fault("county", f"The file spells more than {COUNTIES} counties. Divide it.")
        return None
    if typed not in counties:
        try:
            counties[typed] = county_of(typed)
        except ValueError:
            counties[typed] = None
    if typed and counties[typed] is None:
        row.fault("county", f"“{typed}” is no county we know, such as Midland County, MI.")
    return counties[typed]


def _zone(row: Row) -> str | None:
    typed = row.cells["zone"].replace(" ", "_") or None
    try:
        zones_of(typed, None, None)
    except ValueError as fault:
        row.fault("zone", str(fault))
    return typed
