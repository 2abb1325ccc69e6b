from __future__ import annotations

from pathlib import Path

import pytest

from cephstd.core.devices import choose_profile
from cephstd.core.image import Device
from cephstd.errors import DefinitionError
from cephstd.knowledge.profiles import load_profiles, shipped_profiles

CHECKED = 'source = "own test"\nchecked_by = "A. Tester"\nchecked_on = "2026-01-02"\n'
SITE = f"""
[[device]]
id = "narrow"
version = "2"
manufacturer = "acme*"
model = "Ceph ?"
magnification_horizontal = 1.1
magnification_vertical = 1.12
{CHECKED}
[[device]]
id = "wide"
version = "1"
manufacturer = "ACME*"
{CHECKED}"""


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "site.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_what_ships_claims_nothing_of_any_device():
    *examples, unknown = shipped_profiles()
    assert all(profile.example for profile in examples)
    assert (unknown.magnification_horizontal, unknown.ruler_pitch_mm, unknown.facing) == (None, None, None)
    for device in (Device(), Device(manufacturer="Example Imaging Ltd", model="Ceph 1000")):
        assert choose_profile(shipped_profiles(), device) is unknown


def test_the_first_profile_that_fits_counts(written):
    profiles = load_profiles(written(SITE))
    chosen = choose_profile(profiles, Device(manufacturer="Acme Ltd", model="CEPH 7"))
    assert chosen is not None
    assert (chosen.name, chosen.magnification_vertical) == ("narrow 2", 1.12)
    other = choose_profile(profiles, Device(manufacturer="Acme Ltd", model="Pano"))
    assert other is not None
    assert other.id == "wide"
    assert choose_profile(profiles, Device(manufacturer="Other")) is None


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (SITE.replace("checked_on", "checked_when", 1), "checked_"),
        (SITE.replace("1.12", "0.9"), "magnification_vertical"),
        (SITE.replace('"wide"', '"narrow"'), "twice"),
        (SITE.replace('"own test"', '""'), "source"),
        ("[[device]\n", "site.toml"),
    ],
)
def test_a_file_that_says_too_little_or_nonsense_is_refused(written, text, named):
    with pytest.raises(DefinitionError, match=named):
        load_profiles(written(text))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DefinitionError, match="cannot be read"):
        load_profiles(tmp_path / "none.toml")
