"""May this address be called? For URLs that a platform, or whoever speaks in its name, hands us.

Whoever forges a callback chooses the URLs in it; calling one of our own network's machines for him, or carrying a
token to his, is what this prevents. Addresses are compared as text, in the few forms that are allowed: no parser,
whose reading could differ from the HTTP client's, decides anything.
"""

import ipaddress
import re
import socket
from collections.abc import Collection

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?P<port>:\d{1,5})?(?P<rest>[/?][!-\[\]-~]{0,8192})?"
)
"""Printable ASCII without a backslash; neither `@` nor `#` can stand before the path."""
_USUAL_PORTS = {"https": (None, ":443"), "http": (None, ":80")}


def allowed(url: str, hosts: Collection[str]) -> bool:
    """Whether *url* leads to one of *hosts*: `media.example.com` (that one) or `.example.com` (those below it), by
    https on its usual port; or a base address such as the channel's `api_base`: its scheme, host and port."""
    found = _URL.fullmatch(url)
    if found is None:
        return False
    if origin(url) in {origin(each) for each in hosts if "://" in each}:
        return True
    named = [each.lower() for each in hosts if "://" not in each]
    host = found["host"].lower()
    usual = found["scheme"] == "https" and found["port"] in _USUAL_PORTS["https"]
    return usual and any(host.endswith(each) if each.startswith(".") else host == each for each in named)


def origin(url: str) -> str:
    """Scheme, host and port of *url*, in one spelling; "" if it is not one that could be called."""
    found = _URL.fullmatch(url)
    if found is None:
        return ""
    scheme, port = found["scheme"], found["port"]
    return f"{scheme}://{found['host'].lower()}{'' if port in _USUAL_PORTS[scheme] else port}"


def private(url: str) -> bool:
    """Whether the host of *url* is, by today's DNS, a machine of an inner network (or of nobody). A name that
    cannot be resolved is not: calling it will fail by itself."""
    found = _URL.fullmatch(url)
    if found is None:
        return True
    try:
        answers = socket.getaddrinfo(found["host"].strip("[]"), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return not all(ipaddress.ip_address(str(answer[4][0]).partition("%")[0]).is_global for answer in answers)
