"""Multipart forms, as uploads come."""

from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP

from bot.sandbox.simulator.serving import Incoming


def form(incoming: Incoming) -> dict[str, tuple[Message, bytes]]:
    """The parts of a multipart form by name; none if it is no such form."""
    kind = incoming.headers.get("content-type", "")
    parsed = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + incoming.body)
    if not parsed.is_multipart():
        return {}
    found: dict[str, tuple[Message, bytes]] = {}
    for part in parsed.iter_parts():
        name = part.get_param("name", header="content-disposition")
        found[str(name)] = (part, bytes(part.get_payload(decode=True) or b""))
    return found
