"""Which addresses may be called: the platform's, in the few forms that every client reads alike."""

import pytest

from adapters.hosts import allowed, origin, private

HOSTS = (".example.com", "media.example.net", "http://127.0.0.1:8080/base")


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example.com/x?y=1&z=%2F~!$'()*+,;:@",
        "https://A.B.EXAMPLE.com",
        "https://a.example.com:443/x",
        "https://media.example.net?x",
        "http://127.0.0.1:8080/elsewhere",
    ],
)
def test_an_address_of_the_platform_may_be_called(url: str) -> None:
    assert allowed(url, HOSTS)


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example.com/x",
        "https://a.example.com:8443/x",
        "https://example.com/x",
        "https://notexample.com/",
        "https://evil-example.com/",
        "https://a.example.com.evil.test/",
        "https://x.media.example.net/",
        "https://user@a.example.com/",
        "https://a.example.com@evil.test/",
        "https://evil.test#.example.com/",
        "https://evil.test#a.example.com",
        "https://evil.test\\.example.com/",
        "https://evil.test/\\a.example.com/",
        "https://a.example.com\\@evil.test/",
        "https://a.example.com/\nHost: evil.test",
        "https://a.example.com /",
        "https://a.example.com./",
        "https://ａ.example.com/",
        "https://127.0.0.1:8080/",
        "http://127.0.0.1:80800/",
        "http://127.0.0.1/",
        "ftp://a.example.com/",
        "//a.example.com/",
        "HTTPS://a.example.com/",
        "",
    ],
)
def test_no_other_address_is_called(url: str) -> None:
    assert not allowed(url, HOSTS)


def test_the_base_address_may_be_an_ipv6_one() -> None:
    assert allowed("http://[::1]:9000/x", ["http://[::1]:9000"])
    assert not allowed("http://[::1]:9001/x", ["http://[::1]:9000"])


def test_the_usual_port_may_be_written_or_not() -> None:
    assert origin("https://A.example.com:443/x") == origin("https://a.example.com") == "https://a.example.com"
    assert origin("nonsense") == ""


def test_nonsense_in_the_list_allows_nothing() -> None:
    assert not allowed("nonsense", ["nonsense://"])
    assert not allowed("", ["x://"])


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://localhost/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest",
        "https://100.100.100.200/",
        "https://[::1]/",
        "https://[fd00::1]/",
        "https://2130706433/",
        "nonsense",
    ],
)
def test_a_machine_of_an_inner_network_is_private(url: str) -> None:
    assert private(url)


@pytest.mark.parametrize("url", ["https://8.8.8.8/", "https://[2001:4860:4860::8888]/", "https://no-such.invalid/"])
def test_a_public_address_is_not_private(url: str) -> None:
    assert not private(url)
