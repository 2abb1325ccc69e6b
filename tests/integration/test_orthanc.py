"""Reports and wrapped films through a real archive, in both of its languages, and back."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from exported_records import WHO, accept, make_record
from orthanc_server import OrthancServer, find_orthanc

pytest.importorskip("highdicom")
pytest.importorskip("pynetdicom")
pytest.importorskip("dicomweb_client")
import cephstd as cs
from cephstd.export.dicom_sr import SrDocument, to_sr
from cephstd.export.sr_reader import from_sr

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def orthanc() -> Iterator[OrthancServer]:
    program = find_orthanc()
    if program is None:
        pytest.skip("Orthanc and its DICOMweb plugin are not installed")
    with OrthancServer(program) as server:
        yield server


@pytest.fixture(scope="module")
def record(samples: Path) -> cs.Record:
    return make_record(samples / "composite_c.jpg")


@pytest.fixture(scope="module")
def reports(record: cs.Record, samples: Path) -> tuple[SrDocument, SrDocument, SrDocument]:
    """On the machine's record, on the accepted one, and on an amendment."""
    moved = cs.amend(
        record, {"S": (301.0, 401.5)}, reason="unsharp", meaning="review", at="2025-04-18T08:00:00Z", **WHO
    )
    first, second, third = (to_sr(each, samples / "composite_c.jpg") for each in (record, accept(record), moved))
    return first, second, third


def parse(data: bytes) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(data))


def file_of(dataset: pydicom.Dataset) -> bytes:
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def test_c_store_and_c_get_give_back_what_was_sent(
    orthanc: OrthancServer, reports: tuple[SrDocument, ...], record: cs.Record
) -> None:
    from pynetdicom import AE, build_role, evt
    from pynetdicom.sop_class import PatientRootQueryRetrieveInformationModelGet

    first, second, third = reports
    assert first.image is not None
    sent = {each.SOPInstanceUID: each for each in map(parse, (first.image, first.data, second.data, third.data))}
    classes = sorted({each.SOPClassUID for each in sent.values()})
    store = AE(ae_title="CEPHSTD")
    for each in classes:
        store.add_requested_context(each)
    association = store.associate("127.0.0.1", orthanc.dicom_port, ae_title="ORTHANC")
    assert association.is_established
    for each in sent.values():
        assert association.send_c_store(each).Status == 0
    association.release()

    received: dict[str, pydicom.Dataset] = {}

    def keep(event: evt.Event) -> int:
        each = event.dataset
        each.file_meta = event.file_meta
        received[each.SOPInstanceUID] = each
        return 0

    fetch = AE(ae_title="CEPHSTD")
    fetch.add_requested_context(PatientRootQueryRetrieveInformationModelGet)
    for each in classes:
        fetch.add_requested_context(each)
    association = fetch.associate(
        "127.0.0.1",
        orthanc.dicom_port,
        ae_title="ORTHANC",
        ext_neg=[build_role(each, scp_role=True) for each in classes],
        evt_handlers=[(evt.EVT_C_STORE, keep)],
    )
    assert association.is_established
    wanted = pydicom.Dataset()
    wanted.QueryRetrieveLevel = "STUDY"
    wanted.PatientID = ""
    wanted.StudyInstanceUID = parse(first.data).StudyInstanceUID
    answers = [
        status.Status for status, _ in association.send_c_get(wanted, PatientRootQueryRetrieveInformationModelGet)
    ]
    association.release()
    assert answers[-1] == 0
    assert received == sent
    assert from_sr(file_of(received[first.uid])).landmarks.landmarks == record.content.landmarks
    assert from_sr(file_of(received[third.uid])).predecessor == first.uid


def test_stow_and_wado_give_back_what_was_sent(
    orthanc: OrthancServer, reports: tuple[SrDocument, ...], record: cs.Record
) -> None:
    import requests
    from dicomweb_client.api import DICOMwebClient

    session = requests.Session()
    session.trust_env = False  # loopback goes through no proxy
    client = DICOMwebClient(url=orthanc.web, session=session)
    first, second, _ = reports
    assert first.image is not None
    for data in (first.image, first.data, second.data):
        sent = parse(data)
        client.store_instances(datasets=[sent])
        back = client.retrieve_instance(sent.StudyInstanceUID, sent.SeriesInstanceUID, sent.SOPInstanceUID)
        assert back == sent
        if data is not first.image:
            assert from_sr(file_of(back)) == from_sr(data)
    found = client.search_for_instances(search_filters={"Modality": "SR"}, fields=["VerificationFlag"])
    assert {each["00080018"]["Value"][0] for each in found} >= {first.uid, second.uid}
    session.close()
