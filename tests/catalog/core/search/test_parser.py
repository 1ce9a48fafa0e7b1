"""The language of searches: what is understood, what is refused and how, and that text and tree are one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.core.search.faults import SearchFault
from catalog.core.search.fields import COLORS, RULES, FieldRule, Kind
from catalog.core.search.parser import MAX_DEPTH, MAX_LENGTH, MAX_TERMS, parse
from catalog.core.search.tree import And, Date, Field, Node, Not, Or, Range, Span, Text

TREES: dict[str, Node | None] = {
    "": None,
    "  ": None,
    "chair": Text("chair"),
    "blue chair": And((Text("blue"), Text("chair"))),
    "cha*": Text("cha", prefix=True),
    '"blue chair"': Text("blue chair", phrase=True),
    '"blue cha"*': Text("blue cha", phrase=True, prefix=True),
    r'"a \"b\" \\ c"': Text('a "b" \\ c', phrase=True),
    "a OR b c": Or((Text("a"), And((Text("b"), Text("c"))))),
    "(a OR b) c": And((Or((Text("a"), Text("b"))), Text("c"))),
    "-a": Not(Text("a")),
    "NOT a": Not(Text("a")),
    "a-b -c": And((Text("a-b"), Not(Text("c")))),
    "(a)-b": And((Text("a"), Not(Text("b")))),
    "-(a b)": Not(And((Text("a"), Text("b")))),
    "not or": And((Text("not"), Text("or"))),
    "tag:blue": Field("tag", Text("blue")),
    "TAG:blue": Field("tag", Text("blue")),
    'tag:"blue sky"': Field("tag", Text("blue sky", phrase=True)),
    "name:IMG_*": Field("name", Text("IMG_", prefix=True)),
    "name:a:b": Field("name", Text("a:b", phrase=True)),
    "entity:product/42": Field("entity", Text("product/42")),
    "meta.sku:42": Field("meta", Text("42"), "sku"),
    "meta.a.b:42": Field("meta", Text("42"), "a.b"),
    'meta."a b":42': Field("meta", Text("42"), "a b"),
    "width:2000": Field("width", Range(2000, 2000)),
    "width:>=2000": Field("width", Range(2000, None)),
    "width:>2000": Field("width", Range(2000, None, low_open=True)),
    "width:<100.5": Field("width", Range(None, 100.5, high_open=True)),
    "width:100..200": Field("width", Range(100, 200)),
    "bytes:>=1.5mb": Field("bytes", Range(1_500_000, None)),
    "bytes:2KB..1gb": Field("bytes", Range(2_000, 1_000_000_000)),
    "uploaded:7d": Field("uploaded", Span(7, "d")),
    "taken:2026": Field("taken", Range(Date(2026), Date(2026))),
    "taken:2026-11": Field("taken", Range(Date(2026, 11), Date(2026, 11))),
    "taken:<2024-02-29": Field("taken", Range(None, Date(2024, 2, 29), high_open=True)),
    "taken:2025..2026-03": Field("taken", Range(Date(2025), Date(2026, 3))),
    "color:Red": Field("color", Text(COLORS["red"])),
    "color:#A0522D": Field("color", Text("#a0522d")),
    "status:ready": Field("status", Text("ready")),
    "missing:alt -duplicate:true": And((Field("missing", Text("alt")), Not(Field("duplicate", Text("true"))))),
}


@pytest.mark.parametrize("text", TREES)
def test_a_search_has_one_tree(text: str) -> None:
    assert parse(text) == TREES[text]


@pytest.mark.parametrize(
    ("text", "underlined", "expected"),
    [
        ("(a b", "^", r"There is no \) for this"),
        ("a b)", "   ^", r"There is no \( for this"),
        ("a OR", "    ^", "A word, a phrase or a field is expected"),
        ("OR a", "^^", "A word, a phrase or a field is expected"),
        ("()", " ^", "A word, a phrase or a field is expected"),
        ("a -", "   ^", "is missing: write it behind"),
        ("NOT", "   ^", "is missing: write it behind"),
        ('"blue chair', "^^^^^^^^^^^", 'The phrase does not end: write "'),
        ('a ""', "  ^^", "The phrase is empty"),
        ("*", "^", "stands at the end of a word"),
        ("a*b", "^^^", "stands at the end of a word"),
        (":a", "^", "name is missing before the colon"),
        ("tags:blue", "^^^^", "no field tags. Do you mean tag?"),
        ("whatever:1", "^^^^^^^^", "There are name, title, alt"),
        ("tag.x:1", "^^^^^", "Only meta has keys"),
        ("meta:1", "^^^^", "Only meta has keys, and it needs one: meta.sku:42"),
        ("tag: blue", "     ^^^^", "directly behind the colon"),
        ("tag:", "    ^", "directly behind the colon"),
        ("a width:wide", "        ^^^^", "width takes a number"),
        ("width:1e9", "      ^^^", "width takes a number"),
        ("width:99999999999999999", "      ^" + "^" * 16, "width takes a number"),
        ("width:200..100", "      ^^^^^^^^", r"The range is empty: write 100\.\.200"),
        ("bytes:5tb", "      ^^^", "bytes takes a size"),
        ("taken:2025-13", "      ^^^^^^^", "taken takes the last days"),
        ("taken:2025-02-29", "      ^^^^^^^^^^", "taken takes the last days"),
        ("uploaded:0d", "         ^^", "uploaded takes the last days"),
        ('width:"1"', "      ^^^", "without quotation marks"),
        ("format:jpg", "       ^^^", "Do you mean jpeg?"),
        ("status:gone", "       ^^^^", "It has processing, ready"),
        ("color:reddish", "      ^^^^^^^", "six hexadecimal digits, or one of black"),
        ("a\0b", " ^", "NUL"),
    ],
)
def test_a_fault_is_underlined_and_says_what_was_expected(text: str, underlined: str, expected: str) -> None:
    with pytest.raises(SearchFault, match=expected) as raised:
        parse(text)
    assert raised.value.underlined.split("\n")[1] == underlined
    assert raised.value.status == 400


def test_length_terms_and_depth_are_bounded() -> None:
    parse("a " * (MAX_TERMS - 1) + "b")
    for text in ("a" * (MAX_LENGTH + 1), "a " * (MAX_TERMS + 1), "(" * 400 + "a" + ")" * 400, "NOT " * 60 + "a"):
        with pytest.raises(SearchFault, match="at most"):
            parse(text)
    assert parse("(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH) == Text("a")


@given(st.text(max_size=80))
def test_any_text_is_a_search_or_a_fault_within_it(text: str) -> None:
    try:
        tree = parse(text)
    except SearchFault as fault:
        assert 0 <= fault.start <= len(text)
        assert fault.detail
        return
    if tree is not None:
        assert parse(str(tree)) == tree


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12).filter(
    str.strip
)
words = st.builds(Text.of, texts, prefix=st.booleans())
phrases = st.builds(Text, texts, st.just(True), st.booleans())
numbers = st.integers(0, 10**12) | st.integers(0, 10**12).map(lambda number: number / 10**4)
dates = st.builds(Date, st.integers(1, 9999)) | st.builds(
    Date, st.integers(1, 9999), st.integers(1, 12), st.integers(1, 28)
)


def ranges(
    bounds: st.SearchStrategy[int] | st.SearchStrategy[float] | st.SearchStrategy[Date],
) -> st.SearchStrategy[Range]:
    """Return ranges with one end, with both, or of one value."""
    return st.one_of(
        st.builds(Range, bounds, st.none(), low_open=st.booleans()),
        st.builds(Range, st.none(), bounds, high_open=st.booleans()),
        bounds.map(lambda bound: Range(bound, bound)),
    )


def values(rule: FieldRule) -> st.SearchStrategy[Text] | st.SearchStrategy[Range] | st.SearchStrategy[Span | Range]:
    """Return values of a field."""
    if rule.kind is Kind.CHOICE:
        return st.sampled_from(rule.words).map(Text)
    if rule.kind is Kind.COLOR:
        return st.integers(0, 0xFFFFFF).map(lambda number: Text(f"#{number:06x}"))
    if rule.kind is Kind.NUMBER:
        return ranges(numbers)
    if rule.kind is Kind.BYTES:
        return ranges(st.integers(0, 10**12))
    if rule.kind is Kind.MOMENT:
        return ranges(dates) | st.builds(Span, st.integers(1, 100_000), st.sampled_from("hdwmy"))
    return words | phrases


def fields(rule: FieldRule) -> st.SearchStrategy[Field]:
    """Return conditions on a field."""
    return st.builds(Field, st.just(rule.name), values(rule), texts if rule.name == "meta" else st.just(""))


leaves = words | phrases | st.sampled_from(RULES).flatmap(fields)
trees = st.recursive(
    leaves,
    lambda nodes: st.one_of(
        st.builds(Not, nodes),
        st.lists(nodes, min_size=2, max_size=3).map(lambda children: And(tuple(children))),
        st.lists(nodes, min_size=2, max_size=3).map(lambda children: Or(tuple(children))),
    ),
    max_leaves=8,
)


@given(trees)
def test_a_tree_is_what_its_text_parses_to(tree: Node) -> None:
    text = str(tree)
    if len(text) <= MAX_LENGTH:
        assert parse(text) == tree
