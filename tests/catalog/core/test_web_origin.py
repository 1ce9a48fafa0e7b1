"""Origins of web pages."""

import pytest

from catalog.core.web_origin import web_origin


@pytest.mark.parametrize(
    "text",
    [
        "https://shop.example.com",
        "http://localhost:3000",
        "https://xn--bcher-kva.example",
        "https://192.0.2.1:8443",
        "http://[::1]:8080",
        "https://a:65535",
        "https://a:80",
    ],
)
def test_an_origin_as_browsers_write_it_is_taken(text: str) -> None:
    assert web_origin(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "null",
        "https://*",
        "https://*.example.com",
        "https://Example.com",
        "HTTPS://example.com",
        "https://example.com/",
        "https://example.com/path",
        "https://user@example.com",
        "https://example.com.",
        "https://a..b",
        "https://bücher.example",
        "https://a:443",
        "http://a:80",
        "https://a:0",
        "https://a:65536",
        "https://a:99999",
        "https://a:",
        "ftp://a",
        "https://a\n",
        "https://a b",
        "https://a\0",
        "https://\ud800",
        "https://a https://b",
        "https://" + "a" * 300,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="origin"):
        web_origin(text)
