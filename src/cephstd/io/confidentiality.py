"""The Basic Profile of DICOM PS3.15 Annex E on a data set: which action each element gets, and the action itself.

The table of the standard (E.1-1), and what replacing and emptying mean for each kind of value, come from
dicom-anonymizer. What it does otherwise than asked for here is done here: it gives new unique ids at random, writes a
date of year one where an element is to be removed, and leaves the items of sequences that stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from cephstd.core.digest import pseudonym
from cephstd.errors import MissingExtraError
from cephstd.knowledge.presets import Preset

try:
    from dicomanonymizer import simpledicomanonymizer as profile
except ImportError as error:
    raise MissingExtraError("De-identification needs dicom-anonymizer.", hint="pip install 'cephstd[dicom]'") from error

Action = Callable[[Any, Any], None]
RuleKey = tuple[int, ...]

STANDARD_UIDS = "1.2.840.10008."
_TEXT = frozenset(["AE", "LO", "LT", "PN", "SH", "ST", "UC", "UN", "UR", "UT"])
_TIMES = frozenset(["DA", "DT", "TM"])
# Samples and tables that the picture is made of; any other bulk may be a copy of something.
_COLOURS = ("Red", "Green", "Blue")
_KEPT_BULK = frozenset(["PixelData", "LUTData", *(f"{colour}PaletteColorLookupTableData" for colour in _COLOURS)])
_OVERLAYS, _CURVES = 0x6000, 0x5000


def list_actions(table: str) -> dict[RuleKey, str]:
    """What an edition of the standard does with each element it names.

    Parameters
    ----------
    table : str
        Edition, e.g. ``2026c``.

    Returns
    -------
    dict of tuple of int to str
        (group, element), or (group, element, masks) of repeating groups, -> ``replace``, ``empty``, ``delete``,
        ``replace_UID``, or the first that the standard allows (``delete_or_empty`` ...).
    """
    return {key: action.__name__ for key, action in profile.initialize_actions(f"dicomfields_{table}").items()}


def clean_elements(dataset: Dataset, preset: Preset, key: bytes) -> None:
    """Apply the profile with a preset's options to a data set and all items in it, in place.

    Parameters
    ----------
    dataset : Dataset
    preset : Preset
    key : bytes
        For new unique ids: the same id under the same key gives the same new one.

    Raises
    ------
    InputError
        When the key is shorter than 16 bytes.
    """
    rules = _make_rules(preset)
    named = frozenset(rule[0] << 16 | rule[1] for rule in rules if len(rule) == 2)
    _clean_items(dataset, rules, named | _tags(preset.text.keep), key)


def new_uid(key: bytes, uid: str) -> str:
    """Unique id that stands for `uid` under a key; ids that the standard itself defines stay.

    >>> new_uid(b"a key of the test", "1.2.3") == new_uid(b"a key of the test", "1.2.3")
    True
    >>> new_uid(b"a key of the test", "1.2.840.10008.1.2.1")
    '1.2.840.10008.1.2.1'
    """
    return uid if uid.startswith(STANDARD_UIDS) or not uid else f"2.25.{int(pseudonym(key, f'uid {uid}'), 16)}"


def _clean_items(dataset: Dataset, rules: dict[RuleKey, Action], known: frozenset[int], key: bytes) -> None:
    profile.anonymize_dataset(dataset, base_rules_gen=lambda: rules)
    for element in list(dataset):
        tag = element.tag
        kinds = _kinds(element)
        if element.VR == "SQ":
            for item in element.value:
                _clean_items(item, rules, known, key)
        elif tag.group & 0xFF00 in (_OVERLAYS, _CURVES) or _holds_unknown(element, kinds, tag in known):
            del dataset[tag]
        elif not kinds.isdisjoint(_TIMES):
            element.value = ""
        elif element.VR == "UI":
            _replace_uid(element, key)


def _kinds(element: Any) -> frozenset[str]:
    """Kinds of value that an element is of by the file, and by the dictionary: a file may state the wrong one."""
    stated = element.VR.split(" or ")
    return frozenset([*stated, *(dictionary_VR(element.tag).split(" or ") if element.keyword else ())])


def _holds_unknown(element: Any, kinds: frozenset[str], known: bool) -> bool:
    """Whether an element that neither the table nor the preset names may hold free words."""
    if not element.keyword or (isinstance(element.value, bytes) and element.keyword not in _KEPT_BULK):
        return True
    return not known and not kinds.isdisjoint(_TEXT)


def _make_rules(preset: Preset) -> dict[RuleKey, Action]:
    own: dict[str, Action] = {
        "replace_UID": profile.keep,  # every unique id is replaced at the end, once
        "delete_or_empty_or_replace_UID": _remove,
        "delete": _remove,
        "delete_or_empty": _empty,
        "empty": _empty,
    }
    kept = _tags(tuple(preset.kept))
    return {
        rule: profile.keep if len(rule) == 2 and rule[0] << 16 | rule[1] in kept else own.get(name, _replace)
        for rule, name in _actions(preset.table)
    }


@cache
def _actions(table: str) -> tuple[tuple[RuleKey, str], ...]:
    return tuple(list_actions(table).items())


@cache
def _tags(keywords: tuple[str, ...]) -> frozenset[int]:
    return frozenset(int(tag) for keyword in keywords if (tag := tag_for_keyword(keyword)) is not None)


def _remove(dataset: Any, tag: Any) -> None:
    if tag in dataset:
        del dataset[tag]


def _empty(dataset: Any, tag: Any) -> None:
    """No value at all: a date of year one would be taken for a date."""
    element = dataset.get(tag)
    if element is not None:
        element.value = [] if element.VR == "SQ" else None if element.VR in ("US", "UL", "SS", "SL", "FD", "FL") else ""


def _replace(dataset: Any, tag: Any) -> None:
    """A dummy value where the object may need one; times and sequences become empty, unknown kinds go."""
    element = dataset.get(tag)
    if element is None:
        return
    if element.VR in _TIMES or element.VR == "SQ":
        _empty(dataset, tag)
        return
    try:
        profile.replace(dataset, tag)
    except RuntimeError:  # as the library says of kinds that it has no dummy for
        del dataset[tag]


def _replace_uid(element: Any, key: bytes) -> None:
    value = element.value
    if isinstance(value, (list, MultiValue)):
        element.value = [new_uid(key, str(part)) for part in value]
    elif value:
        element.value = new_uid(key, str(value))
