"""Three countries whose numbers have two forms, of which WhatsApp may know only the other (sheet §8)."""

import re
import threading
from collections import OrderedDict

REMEMBERED = 10_000
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


class Forms:
    """Which form of a number goes through, once that is known. Thread-safe; in this process only."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, str] = OrderedDict()
        self._guard = threading.Lock()

    def of(self, number: str) -> tuple[str, str | None]:
        """The form to try first, and the other if there is one."""
        with self._guard:
            first = self._known.get(number, number)
        return first, other_form(first)

    def told(self, number: str, form: str) -> None:
        """*form* is what WhatsApp knows *number* as; one that is neither of its two says nothing."""
        if not number or form not in (number, other_form(number)):
            return
        with self._guard:
            self._known[number] = form
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
