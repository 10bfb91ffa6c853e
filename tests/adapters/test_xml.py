"""XML that attacks its reader: refused fast, and without opening anything."""

import sys
import time
from collections.abc import Iterator

import pytest

from adapters.xml import DEEPEST, LARGEST, BadXml, read_xml

BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {chr(98 + level)} "{f"&{chr(97 + level)};" * 10}">' for level in range(9)
)
FORBIDDEN = {
    "doctype": "<!DOCTYPE x><x/>",
    "billion laughs": BOMB + "]><x>&j;</x>",
    "quadratic": f'<!DOCTYPE x [<!ENTITY a "{"a" * 50_000}">]><x>{"&a;" * 1000}</x>',
    "external entity": '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
    "network entity": '<!DOCTYPE x [<!ENTITY a SYSTEM "http://127.0.0.1:9/">]><x>&a;</x>',
    "parameter entity": '<!DOCTYPE x [<!ENTITY % a SYSTEM "http://127.0.0.1:9/x.dtd">%a;]><x/>',
    "external dtd": '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><x/>',
    "public dtd": '<!DOCTYPE x PUBLIC "-//W3C//DTD" "http://127.0.0.1:9/x.dtd"><x/>',
    "attribute list": "<!DOCTYPE x [<!ATTLIST x a CDATA 'b'>]><x/>",
    "notation": "<!DOCTYPE x [<!NOTATION n SYSTEM 'file:///etc/passwd'>]><x/>",
    "in utf-16 by declaration": '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x><x/>',
    "recursive": '<!DOCTYPE x [<!ENTITY a "&b;"><!ENTITY b "&a;">]><x>&a;</x>',
}
BROKEN = {
    "empty": "",
    "space": " \n ",
    "text": "hello",
    "json": '{"a": 1}',
    "open": "<x>",
    "crossed": "<a><b></a></b>",
    "two roots": "<a/><b/>",
    "nul": "<x>\x00</x>",
    "control": "<x>\x08</x>",
    "nul reference": "<x>&#0;</x>",
    "surrogate": "<x>\ud800</x>",
    "surrogate reference": "<x>&#xD800;</x>",
    "huge reference": "<x>&#x110000;</x>",
    "unknown entity": "<x>&nbsp;</x>",
    "entity without end": "<x>&amp</x>",
    "unquoted attribute": "<x a=b/>",
    "same attribute twice": '<x a="1" a="2"/>',
    "cdata without end": "<x><![CDATA[a</x>",
    "cdata end in text": "<x>]]></x>",
    "unbound prefix": "<a:x/>",
    "declaration late": '<x/><?xml version="1.0"?>',
    "too deep": "<x>" * (DEEPEST + 1) + "</x>" * (DEEPEST + 1),
    "very deep": "<x>" * 200_000,
    "deep and named": "".join(f"<a{n}>" for n in range(100_000)),
    "too large": f"<x>{'a' * LARGEST}</x>",
}
READ = {
    "self-closed": ("<x/>", None),
    "two cdata": ("<x><![CDATA[a]]]]><![CDATA[>b]]></x>", "a]]>b"),
    "escapes": ("<x>&lt;b&gt;&amp;&#20320;</x>", "<b>&你"),
    "declared as gbk": ('<?xml version="1.0" encoding="gbk"?><x>你好</x>', "你好"),
    "declared as utf-7": ('<?xml version="1.0" encoding="utf-7"?><x>你好</x>', "你好"),
    "byte order mark": ("\ufeff<x>a</x>", "a"),
    "declared after a line break": ('\r\n <?xml version="1.0"?>\n<x>a</x>', "a"),
    "comment": ("<x>a<!-- b --></x>", "a"),
    "instruction": ("<x><?php echo 1 ?>a</x>", "a"),
    "xinclude": ('<x xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd"/></x>', None),
    "as deep as allowed": ("<x>" * DEEPEST + "</x>" * DEEPEST, None),
    "version 9": ('<?xml version="9"?><x/>', None),
    "emoji": ("<x>😀🧾</x>", "😀🧾"),
}
WATCHED = ("open", "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request")
seen: list[str] = []
watching: list[bool] = []
sys.addaudithook(lambda event, _: seen.append(event) if watching and event in WATCHED else None)


@pytest.fixture(autouse=True)
def nothing_is_opened() -> Iterator[None]:
    """Neither a file nor a name nor a socket, whatever the document asks for."""
    seen.clear()
    yield
    assert seen == []


def attempt(text: str) -> BadXml | None:
    watching.append(True)
    started = time.thread_time()
    try:
        read_xml(text)
    except BadXml as error:
        return error
    finally:
        spent = time.thread_time() - started
        watching.clear()
        assert spent < 0.25, "an unprotected reader takes a second for the first bomb"
    return None


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_document_with_a_dtd_is_refused_by_that_name(name: str) -> None:
    error = attempt(FORBIDDEN[name])
    assert error is not None
    assert error.forbidden


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_xml_of_ours_is_refused(name: str) -> None:
    error = attempt(BROKEN[name])
    assert error is not None
    assert not error.forbidden


@pytest.mark.parametrize("name", READ)
def test_odd_but_harmless_xml_is_read(name: str) -> None:
    text, content = READ[name]
    assert attempt(text) is None
    assert read_xml(text).text == content


def test_an_error_quotes_nothing_of_the_document() -> None:
    error = attempt("<secret>my pin</secre>")
    assert error is not None
    assert "pin" not in str(error)
    assert "secre" not in str(error)
