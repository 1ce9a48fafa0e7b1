"""No regular expression of the product may backtrack: foreign bytes meet them on the event loop."""

import re

import pytest

from tests.regexes.ambiguity import ambiguity
from tests.regexes.attack import survivors
from tests.regexes.automaton import Automaton
from tests.regexes.patterns import Use, all_uses, foreign_imports, hidden_calls

EXCEPTIONS: dict[str | bytes, str] = {}
"""Patterns that may be ambiguous, each with the reason, for example that it meets text of ours alone."""

CPU_SECONDS = 30
"""For all patterns together; measured: 2 s."""

_OLD_SVG_ROOT = rb"(?:<!--.*?-->\s*|<!DOCTYPE[^\[>]*(?:\[[^\]]*\])?>\s*)*<svg[\s>]"

AMBIGUOUS = [
    ("(a+)+b", False, "exponential"),
    ("(a|a)*b", False, "exponential"),
    ("(a|ab|b)*c", False, "exponential"),
    (r"(\w+\s?)*$", False, "exponential"),
    (r"(?:[a-z]+|[a-z0-9])*!", False, "exponential"),
    ("(x{1,20}){1,20}y", False, "exponential"),
    (r"(?:[0-9]{2,}|-)+;", False, "exponential"),
    (_OLD_SVG_ROOT, False, "exponential"),
    ("(?i)(?:aA|Aa)*b", False, "exponential"),
    ("a*a*b", False, "polynomial"),
    (r"\s*,?\s*;", False, "polynomial"),
    (r"[^,]*x*,", False, "polynomial"),
    (r".*?=.*?;", False, "polynomial"),
    ("a{0,1000}a{0,1000}b", False, "polynomial"),
    ("a+b", True, "polynomial"),
    (r"\s+$", True, "polynomial"),
    (r"<[^>]*>", True, "polynomial"),
    (rb'name=.*"', True, "polynomial"),
]
LINEAR = [
    ("a+b", False),
    (r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", False),
    (r"(?:/[a-z][a-z.]*)*", False),
    (r"(?:[a-z]|%[0-9A-F]{2})*", False),
    ("(?P<a>[0-9]{2})/(?P=a)", False),
    (r"<(?:[a-z]+:)?text[\s>/]", True),
    (r"<[^>]{0,200}>", True),
    (r"a[^ab]*b", True),
    (r"<[^<>]*>", True),
]


def test_no_pattern_hides_from_this_test() -> None:
    assert hidden_calls() == []
    assert foreign_imports() == []


def test_the_patterns_of_the_product_are_found() -> None:
    files = {use.file for use in all_uses()}
    assert {"proxy/core/url/link.py", "proxy/core/recipe/option_kinds.py", "proxy/settings.py"} <= files
    texts = {use.pattern for use in all_uses()}
    assert {"w([0-9]{1,9})", r"[/\\]", "[0-9a-f]{64}"} <= texts


def test_no_pattern_is_ambiguous() -> None:
    faults = {
        str(use): fault
        for use in all_uses()
        if use.pattern not in EXCEPTIONS
        and (fault := ambiguity(Automaton(use.pattern, use.flags, searched=use.searched)))
    }
    assert faults == {}


def test_every_pattern_survives_hostile_words() -> None:
    uses = [use for use in all_uses() if use.pattern not in EXCEPTIONS]
    assert survivors(uses, CPU_SECONDS) == uses


@pytest.mark.parametrize(("pattern", "searched", "kind"), AMBIGUOUS)
def test_an_ambiguous_pattern_is_recognised(pattern: str | bytes, searched: bool, kind: str) -> None:
    assert ambiguity(Automaton(pattern, re.DOTALL, searched=searched)).startswith(kind)


@pytest.mark.parametrize(("pattern", "searched"), LINEAR)
def test_a_linear_pattern_is_recognised(pattern: str, searched: bool) -> None:
    assert ambiguity(Automaton(pattern, searched=searched)) == ""


@pytest.mark.parametrize("pattern", ["(a*)*b", "(?:a?b?)+c", "(?=a)b", "(?>a)b", "a++b", "(?i:A|a)*b"])
def test_a_pattern_that_cannot_be_analysed_is_refused(pattern: str) -> None:
    with pytest.raises((NotImplementedError, ValueError)):
        Automaton(pattern, searched=False)


def test_a_hostile_word_stops_an_ambiguous_pattern() -> None:
    uses = [Use(text, re.DOTALL, "", 0, searched=False) for text in (rb"<svg[\s>]", _OLD_SVG_ROOT, b"never reached")]
    assert survivors(uses, cpu_seconds=2) == uses[:1]
