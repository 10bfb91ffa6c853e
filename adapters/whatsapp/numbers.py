"""Three countries whose numbers have two forms, of which WhatsApp may know only the other (sheet §8)."""

import re

_FORMS = (
    (re.compile(r"52(1?)(\d{10})"), "52", "1"),  # Mexico: 52 1 … as received, 52 … as dialled
    (re.compile(r"54(9?)(\d{10})"), "54", "9"),  # Argentina: 54 9 … for mobiles
)
_BRAZIL = re.compile(r"55(\d{2})(9?)(\d{8})")


def other_form(number: str) -> str | None:
    """The same subscriber's number in the country's other form, digits only; None where there is none."""
    for form, country, infix in _FORMS:
        if found := form.fullmatch(number):
            return country + ("" if found[1] else infix) + found[2]
    if found := _BRAZIL.fullmatch(number):
        return f"55{found[1]}{'' if found[2] else '9'}{found[3]}"
    return None
