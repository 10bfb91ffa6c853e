"""Reading a platform's XML without trusting it: no DTD, no entities, bounded size and depth (WeCom sheet §1.7)."""

import re
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from adapters.errors import Malformed

LARGEST = 1024 * 1024
"""Bytes. A platform's messages are a few KB."""
DEEPEST = 32
NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""The characters that no XML may hold (XML 1.0 §2.2)."""


class BadXml(Malformed):
    """No XML that we read. *forbidden*: it has a DTD or declares entities."""

    def __init__(self, text: str, *, forbidden: bool = False) -> None:
        super().__init__(text)
        self.forbidden = forbidden


def read_xml(text: str) -> Element:
    """The root element of *text*. It is text, so that no encoding declaration is believed.
    Raises :class:`BadXml`."""
    text = text.lstrip()  # an XML declaration would have to be the very beginning
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        raise BadXml(f"XML larger than {LARGEST} bytes")
    parser = DefusedXMLParser(target=_Shallow(), forbid_dtd=True)
    try:
        parser.feed(text)
        root: Element = parser.close()
    except DefusedXmlException as error:
        raise BadXml(f"XML with {type(error).__name__}", forbidden=True) from None
    except (ParseError, ValueError) as error:
        raise BadXml(f"not XML: {type(error).__name__}") from None
    return root


class _Shallow(TreeBuilder):
    """Stops a document that nests too deep while it is read."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def start(self, tag: Any, attrs: Any, /) -> Element:
        self._depth += 1
        if self._depth > DEEPEST:
            raise BadXml(f"XML deeper than {DEEPEST} levels")
        return super().start(tag, attrs)

    def end(self, tag: Any, /) -> Element:
        self._depth -= 1
        return super().end(tag)
