"""Lowering shares what is equal and follows a construction only where its landmark has not been marked."""

from __future__ import annotations

import pytest

from cephstd.geometry import program as op
from cephstd.geometry.plan import Plan
from cephstd.knowledge.formula import parse_formula
from cephstd.knowledge.loader import load_analysis, load_constructions, load_landmarks


def plan(*formulas: str) -> Plan:
    return Plan([parse_formula(text, load_landmarks()) for text in formulas], load_constructions())


def test_equal_parts_are_computed_once():
    one = plan("ang(S,N,A)-ang(S,N,B)")
    three = plan("ang(S,N,A)", "ang(S,N,B)", "ang(S,N,A)-ang(S,N,B)")
    assert len(one.program.opcodes) == len(three.program.opcodes) == 3


def test_whole_analysis_is_shared():
    analysis = load_analysis("all")
    alone = sum(len(plan(formula.text).program.opcodes) for formula in analysis.formulas.values())
    together = Plan(tuple(analysis.formulas.values()), load_constructions()).program
    assert len(together.opcodes) < 0.6 * alone


def test_three_point_angle_is_an_angle_of_two_rays():
    program = plan("ang(S,N,A)").program
    assert program.inputs == ("S", "N", "A")
    assert program.opcodes.tolist() == [op.DANG]
    assert program.operands.tolist() == [[1, 0, 1, 2]]


def test_steps_hold_only_what_a_measure_uses():
    made = plan("dist(S,N)", "dist(A,B)")
    first = made.program.steps[: made.program.starts[1]].tolist()
    assert [made.program.inputs[step] for step in first[1:]] == ["N", "S"]
    assert len(first) == 3


@pytest.mark.parametrize(
    ("formula", "present", "used", "lacking"),
    [
        ("dist(S,N)", "S N", "S N", ""),
        ("dist(S,N)", "S", "S", "N"),
        ("dist(S,Gn_c)", "S N Pog Go Me", "S N Pog Go Me", ""),
        ("dist(S,Gn_c)", "S N Pog Go Me Gn_c", "S Gn_c", ""),
        ("dist(S,Gn_c)", "S N Go Me", "S N Go Me", "Pog"),
        ("dist(S,CC)", "S Ba N Pt Gn_c", "S Ba N Pt Gn_c", ""),
        ("dist(S,THa)", "S", "S", "THa"),
    ],
)
def test_rests(formula, present, used, lacking):
    rests = plan(formula).find_rests(0, frozenset(present.split()))
    assert (rests.used, rests.lacking) == (tuple(used.split()), tuple(lacking.split()))
    assert rests.orienting == ()


@pytest.mark.parametrize(
    ("present", "orienting"),
    [("Po Or S N A Me", "Po Or N Me"), ("S N A Pog Po", "S N N Pog"), ("THp THa G_s Sn A N", "THp THa N A")],
)
def test_signed_measures_rest_on_what_shows_orientation(present, orienting):
    rests = plan("sang(S,N,N,A)").find_rests(0, frozenset(present.split()))
    assert rests.orienting == tuple(orienting.split())


def test_names_follow_constructions():
    assert plan("dist(S,CC)").find_names(0) == {"S", "CC", "Ba", "N", "Pt", "Gn_c", "Pog", "Go", "Me"}


def test_binding_leaves_out_what_cannot_be_computed():
    made = plan("dist(S,N)", "dist(A,B)", "dist(S,Gn_c)")
    binding = made.bind(("N", "S", "Pog", "Go", "Me"))
    assert binding.active.tolist() == [0, 2]
    assert binding.columns.tolist()[:4] == [1, 0, -1, -1]
