"""Every fact of a policy can hold and fail; waivers are for one record, until a day, and never silent."""

from __future__ import annotations

from datetime import date
from typing import get_args

import msgspec
import pytest

from cephstd.audit.case import Attachment, Case, Statement, Waiver, load_case
from cephstd.audit.policies import check_policy
from cephstd.core.record import decode_record, seal
from cephstd.errors import DefinitionError, InputError
from cephstd.knowledge import policies
from cephstd.knowledge.policies import Policy, PolicyPack, PolicyRule, load_policy

DAY = date(2025, 6, 1)
SHA = "sha256:" + "1" * 64
CONTENT_DATE = "(0008,0023) Content Date"


@pytest.fixture(scope="module")
def sealed(root):
    return decode_record((root / "tests/records/0.1.0/attested/reviewed.record.json").read_bytes())


@pytest.fixture(scope="module")
def dated(sealed):
    device = msgspec.structs.replace(
        sealed.content.device, acquisition_date="2025-05-01", acquisition_date_source=CONTENT_DATE
    )
    subject = msgspec.structs.replace(sealed.content.subject, age_years=12.5, sex="F")
    return seal(msgspec.structs.replace(sealed.content, device=device, subject=subject), sealed.run)


def pack(fact, **more):
    rule = PolicyRule(id="it", text="It is so.", requires=fact, **more)
    return Policy(PolicyPack(id="own", version="1.0.0", name="Own", kind="own", rule=(rule,)), SHA)


def faults(record, fact, **given):
    (result,) = check_policy(record, pack(fact), day=DAY, **given).results
    assert (result.status == "fail") == bool(result.faults)
    return result.faults


PANORAMIC = Attachment(kind="panoramic", sha256=SHA, made_on=date(2025, 4, 1))
LABELLED = Statement(about="labelled", by="A. Reader", on=DAY)
HOLDS = [
    policies.ViewFact(allowed=("lateral",)),
    policies.DateFact(sources=(CONTENT_DATE,)),
    policies.AgeFact(max_days=31),
    policies.QualityFact(allowed=("diagnostic",)),
    policies.CalibrationFact(allowed=("fiducial",), max_relative_sd=0.01),
    policies.MeasuresFact(measures=("ANB",), analyses=("all",), min_share=0.05),
    policies.ProvisionalFact(),
    policies.ReviewFact(meanings=("review",), roles=("orthodontist",)),
    policies.SignatureFact(level="signed"),
    policies.AttachmentFact(kinds=("panoramic",), within_days=30),
    policies.StatementFact(about=("labelled",)),
    policies.SubjectFact(fields=("age_years", "sex")),
    policies.DeviceFact(fields=("manufacturer", "model")),
]
FAILS = [
    (policies.ViewFact(allowed=("postero-anterior",)), "found lateral"),
    (policies.DateFact(sources=("stated",)), "Content Date"),
    (policies.AgeFact(max_days=30), "found 31"),
    (policies.QualityFact(allowed=("limited",)), "found diagnostic"),
    (policies.CalibrationFact(allowed=("user_ruler",)), "found fiducial"),
    (policies.CalibrationFact(allowed=("fiducial",), max_relative_sd=0.005), "1.0%"),
    (policies.MeasuresFact(measures=("ANB", "Wits")), "Without a value: Wits"),
    (policies.MeasuresFact(analyses=("all",)), "100% of the analysis all"),
    (policies.ReviewFact(meanings=("approval",)), "found review"),
    (policies.ReviewFact(roles=("dentist",)), "found orthodontist"),
    (policies.SignatureFact(level="logged"), "found it signed"),
    (policies.AttachmentFact(kinds=("panoramic",), within_days=29), "found 0"),
    (policies.AttachmentFact(kinds=("panoramic",), count=2), "found 1"),
    (policies.StatementFact(about=("labelled", "complete")), "complete"),
    (policies.DeviceFact(fields=("software",)), "software"),
]
CASE = Case(attachments=(PANORAMIC, PANORAMIC), statements=(LABELLED,))


@pytest.mark.parametrize("fact", HOLDS, ids=lambda fact: type(fact).__name__)
def test_fact_holds(dated, fact):
    assert faults(dated, fact, level="signed", case=CASE) == ()


@pytest.mark.parametrize(("fact", "said"), FAILS)
def test_fact_fails_and_says_what_was_found(dated, fact, said):
    (fault,) = faults(dated, fact, level="signed", case=CASE)
    assert said in fault


def test_every_fact_is_tried():
    assert {type(fact) for fact in HOLDS} == set(get_args(policies.Fact))


def test_what_is_not_known_does_not_pass(sealed):
    """No date, no age, no case: each is a fault, never a silent pass."""
    for fact in (
        policies.DateFact(sources=("stated",)),
        policies.AgeFact(max_days=10000),
        policies.AttachmentFact(kinds=("panoramic",)),
        policies.StatementFact(about=("labelled",)),
        policies.SubjectFact(fields=("age_years",)),
        policies.SignatureFact(),
    ):
        assert len(faults(sealed, fact)) == 1


def test_a_stated_date_counts_only_where_the_film_has_none(sealed, dated):
    case = Case(acquisition_date=date(2025, 5, 31), stated_by="A. Reader")
    assert faults(sealed, policies.AgeFact(max_days=1), case=case) == ()
    assert "found 31" in faults(dated, policies.AgeFact(max_days=1), case=case)[0]
    assert faults(sealed, policies.DateFact(sources=(CONTENT_DATE,)), case=case)


def test_a_film_from_the_future_is_not_young(dated):
    policy = pack(policies.AgeFact(max_days=365))
    assert not check_policy(dated, policy, day=date(2025, 4, 30)).passed


def test_an_acceptance_does_not_outlive_a_later_change(sealed):
    accepted = sealed.content.trail[-1]
    assert accepted.whole
    amended = msgspec.structs.replace(accepted, decision="amend", whole=False, reason="unsharp")
    later = seal(msgspec.structs.replace(sealed.content, trail=(accepted, amended)), sealed.run)
    assert "after it was accepted" in faults(later, policies.ReviewFact())[0]
    never = seal(msgspec.structs.replace(sealed.content, trail=(amended,)), sealed.run)
    assert "Nobody" in faults(never, policies.ReviewFact())[0]


def test_provisional_values_are_named(sealed):
    first, *rest = sealed.content.measures
    doubtful = (msgspec.structs.replace(first, provisional=True), *rest)
    record = seal(msgspec.structs.replace(sealed.content, measures=doubtful), sealed.run)
    assert faults(record, policies.ProvisionalFact()) == (f"Provisional: {first.id}.",)


def waive(sealed, **changes):
    facts = {"policy": "own", "rule": "it", "record": sealed.record_digest, "by": "A. Head", "reason": "old film"}
    return Case(waivers=(Waiver(**{**facts, "until": DAY, **changes}),))


def test_waiver_counts_through_its_last_day_for_its_record(sealed):
    policy = pack(policies.SubjectFact(fields=("age_years",)))

    def status(case, day=DAY):
        (result,) = check_policy(sealed, policy, day=day, case=case).results
        assert result.faults
        return result.status

    assert status(waive(sealed)) == "waived"
    assert status(waive(sealed), date(2025, 6, 2)) == "fail"
    assert status(waive(sealed, record=SHA)) == "fail"
    assert status(waive(sealed, policy="another")) == "fail"
    with pytest.raises(DefinitionError, match="lacks"):
        status(waive(sealed, rule="none"))
    policy = pack(policies.SubjectFact(fields=("age_years",)), waivable=False)
    with pytest.raises(DefinitionError, match="allows none"):
        status(waive(sealed))


def test_advised_rules_and_rules_out_of_force_fail_nothing(sealed):
    fact = policies.SubjectFact(fields=("age_years",))
    advised = check_policy(sealed, pack(fact, severity="advised"), day=DAY)
    assert (advised.results[0].status, advised.passed) == ("fail", True)
    early = check_policy(sealed, pack(fact, effective_from=date(2025, 6, 2)), day=DAY)
    assert (early.results[0].status, early.passed) == ("not in force", True)
    assert not check_policy(sealed, pack(fact), day=DAY).passed


def test_baseline_on_a_reviewed_record(sealed):
    done = check_policy(sealed, load_policy("baseline"), day=DAY)
    assert {item.rule.id for item in done.results if item.status == "fail"} == {"dated", "signed", "age_and_sex"}


def test_case_is_read_strictly(tmp_path):
    path = tmp_path / "film.case.toml"
    path.write_text(
        f'acquisition_date = 2025-05-01\nstated_by = "A. Reader"\n[[attachment]]\nkind = "panoramic"\nsha256 = "{SHA}"',
        encoding="utf-8",
    )
    assert load_case(path).attachments[0].kind == "panoramic"
    for text, said in [
        ("acquisition_date = 2025-05-01", "stated_by"),
        ('[[attachment]]\nkind = "panoramic"\nsha256 = "1"', "fit"),
        ("colour = 1", "colour"),
        ('[[waiver]]\npolicy = "own"\nrule = "it"', "fit"),
    ]:
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=said):
            load_case(path)
    with pytest.raises(InputError, match="read"):
        load_case(tmp_path / "none.toml")
