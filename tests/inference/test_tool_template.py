"""Whatever a value holds, it stays where it was written."""

from urllib.parse import unquote, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from inference.tools.template import address, body, fill, header, values
from inference.tools.tool import ToolFailed
from inference.values import Customer
from tests.inference.tool_kit import ANA

words = st.text(max_size=60) | st.sampled_from(
    ["..", ".", "", "%2e%2e", "/", "?x", "#", "\\", "{b}", "{customer.user}"]
)


@given(words, words)
def test_an_address_keeps_its_host_and_the_number_of_its_segments(first: str, second: str) -> None:
    try:
        url = urlsplit(address("https://shop.example.com/{a}/x/{a}{b}?q={b}", {"a": first, "b": second}))
    except ToolFailed:
        return
    assert (url.scheme, url.netloc, url.fragment) == ("https", "shop.example.com", "")
    empty, one, fixed, both = url.path.split("/")
    assert (empty, fixed) == ("", "x")
    assert {"", ".", ".."}.isdisjoint({one, both})
    assert unquote(one, errors="surrogatepass") == first or "\ufffd" in unquote(one) or "%3F" in one
    assert url.query.startswith("q=")
    assert "&" not in url.query


@given(words)
def test_a_header_is_one_line_of_ascii_and_tells_customers_apart(user: str) -> None:
    line = header("id {customer.user}", values({}, Customer(channel="c", account="a", user=user)))
    assert line.isascii()
    assert line.isprintable()
    other = header("id {customer.user}", values({}, Customer(channel="c", account="a", user=user + "x")))
    assert line != other


@given(words, words)
def test_a_value_is_filled_in_once_and_never_read_as_a_template(first: str, second: str) -> None:
    given = {"a": first, "b": second}
    assert fill("[{a}][{b}]", given) == f"[{first}][{second}]"
    assert body({"x": ["{a}", "{a}-{b}"]}, given) == {"x": [first, f"{first}-{second}"]}


@given(st.dictionaries(words, words))
def test_no_argument_stands_for_the_identity(arguments: dict[str, str]) -> None:
    given = values(arguments | {"customer.user": "ben", "customer.channel": "x"}, ANA)
    assert fill("{customer.channel}/{customer.account}/{customer.user}", given) == "shop/twin/ana"
