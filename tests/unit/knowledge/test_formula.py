"""The grammar reads what it should, and refuses everything else with a position."""

from __future__ import annotations

import pytest

from cephstd.errors import FormulaError
from cephstd.knowledge.formula import MAX_DEPTH, MAX_LENGTH, MAX_PARTS, parse_formula, suggest

POINTS = {"S", "N", "A", "B", "Pog", "Go", "Me", "Po", "Or"}


@pytest.mark.parametrize(
    ("text", "dimension"),
    [
        ("ang(S,N,A)", "deg"),
        ("90-dang(Po,Or,S,N)", "deg"),
        ("-sang(Po,Or,Go,Me)", "deg"),
        ("2.5e1*dist(S,N)/dist(N,A)", "ratio"),
        ("dist(S,N)*sgn(comp(A,B,Po,Or))", "mm"),
        ("minv(ang(S,N,A),ang(S,N,B))", "deg"),
        ("absv(pla(A,N,Pog))", "mm"),
        ("xs(S,N,Go,Me)", "point"),
        ("rotp(N,S,-7)", "point"),
        (" dist ( S , mid( N , A ) ) ", "mm"),
    ],
)
def test_dimension(text, dimension):
    assert parse_formula(text, POINTS).dimension == dimension


def test_names_are_listed_in_order_of_use():
    assert parse_formula("ang(N,S,A)+ang(A,S,B)", POINTS).names == ("N", "S", "A", "B")


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("dist(S,N)", True),
        ("dist(S,N)/dist(N,A)", False),
        ("(dist(S,N)+1)/dist(N,A)", True),  # a length beside a bare number means nothing in pixels
        ("ang(S,N,A)*sgn(dist(S,N)-5)", True),
        ("ang(S,N,A)*sgn(comp(A,B,S,N))", False),
        ("90-ang(S,N,A)", False),
    ],
)
def test_scale_is_needed_where_a_length_shows(text, needs):
    assert parse_formula(text, POINTS).needs_scale is needs


def test_precedence_and_signs():
    tree = parse_formula("-ang(S,N,A)+2*ang(S,N,B)-3", POINTS).root
    assert tree.function == "sub"
    assert tree.arguments[0].function == "add"
    assert [part.function for part in tree.arguments[0].arguments] == ["neg", "mul"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("ang(S,N,A)+dist(S,N)", "cannot add an angle and a length, at position 11"),
        ("ang(S,N,A)-dist(S,N)/dist(N,A)", "cannot subtract an angle and a ratio"),
        ("minv(ang(S,N,A),dist(S,N))", "cannot compare an angle and a length"),
        ("dist(S,N)*dist(N,A)", "cannot multiply a length by a length"),
        ("1/ang(S,N,A)", "cannot divide a number by an angle"),
        ("ang(S,N,3)", "ang expects a point here, found a number, at position 9"),
        ("dist(S,dist(S,N))", "dist expects a point here, found a length"),
        ("S+N", "expected a number, an angle or a length, found a point"),
        ("absv(S)", "found a point"),
        ("rotp(N,S,ang(S,N,A))", "expects a number of degrees"),
        ("ang(S,N)", "ang takes 3 arguments, found 2"),
        ("ang(S,N,A,B)", "ang takes 3 arguments, found 4"),
        ("ang(S,N,Aa)", "unknown landmark 'Aa', at position 9"),
        ("angle(S,N,A)", "unknown function 'angle', at position 1"),
        ("ang", "function 'ang' needs its arguments"),
        ("ang(S,N,A", "expected ')', found the end"),
        ("ang(S,N,A))", "expected an operator or the end"),
        ("ang(S,,A)", "expected a landmark, a number or a call, found ','"),
        ("", "unexpected end"),
        ("90", "names no landmark"),
        ("1e999*ang(S,N,A)", "out of range"),
    ],
)
def test_refused_with_position(text, fault):
    with pytest.raises(FormulaError) as caught:
        parse_formula(text, POINTS, subject="measure 'own'")
    assert fault in str(caught.value)
    assert str(caught.value).startswith("measure 'own': ")


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "(lambda: 1)()",
        "ang(S,N,A) if 1 else 0",
        "S.__class__",
        "[S for S in N]",
        "ang(S,N,A);ang(S,N,A)",
        "ang(S,N,A)**2",
        "ang(S,N,A)\n+1",
        "ang(S,N,A)//1",
        "ang(S,N,\u0391)",  # Greek capital alpha for A
        "\u0661*ang(S,N,A)",  # Arabic digit one
        "0x1*ang(S,N,A)",
        "exec(S)",
    ],
)
def test_code_is_not_a_formula(text):
    with pytest.raises(FormulaError):
        parse_formula(text, POINTS)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("(" * (MAX_DEPTH + 1) + "ang(S,N,A)" + ")" * (MAX_DEPTH + 1), "nested deeper"),
        ("-" * 500 + "ang(S,N,A)", "nested deeper"),
        ("mid(" * 60 + "S" + ",N)" * 60, "nested deeper"),
        ("ang(S,N,A)" + "+1" * (MAX_LENGTH // 2), "characters long"),
        ("ang(S,N,A)" + "+1" * (MAX_PARTS // 2), f"more than {MAX_PARTS} parts"),
    ],
)
def test_bombs_are_refused(text, fault):
    with pytest.raises(FormulaError, match=fault):
        parse_formula(text, POINTS)


def test_too_many_landmarks_are_refused():
    many = [f"P{number}" for number in range(60)]
    text = "+".join(f"dist({a},{b})" for a, b in zip(many[::2], many[1::2], strict=True))
    with pytest.raises(FormulaError, match="more than 48 landmarks"):
        parse_formula(text, many)


def test_close_names_are_suggested():
    assert suggest("pog", {"Pog", "Pog_s", "S"}).startswith("Did you mean 'Pog'")
    assert suggest("zzzz", {"Pog"}) == ""
