"""RFC 3161 timestamps of signatures: what to send to an authority, and what its answer shows. Nothing is sent here."""

from __future__ import annotations

from datetime import UTC, datetime

from cephstd.errors import InputError, MissingExtraError, SignatureInvalid

try:
    from cryptography.x509 import load_pem_x509_certificate
    from rfc3161_client import (
        HashAlgorithm,
        TimestampRequestBuilder,
        VerificationError,
        VerifierBuilder,
        decode_timestamp_response,
    )
except ImportError as error:
    raise MissingExtraError("Timestamps need rfc3161-client.", hint="pip install 'cephstd[sign]'") from error


def request_timestamp(signature: bytes) -> bytes:
    """Request (DER, ``application/timestamp-query``) for the time of `signature`, to be sent to an authority.

    The answer names the signature by its SHA-256, so that it can belong to no other; there is no nonce.
    """
    builder = TimestampRequestBuilder().data(signature).hash_algorithm(HashAlgorithm.SHA256)
    return builder.nonce(nonce=False).cert_request(cert_request=True).build().as_bytes()


def read_timestamp(token: bytes, signature: bytes, certificate: str) -> datetime:
    """Time at which `signature` existed, by an authority's word.

    Parameters
    ----------
    token : bytes
        The authority's answer (DER, ``application/timestamp-reply``).
    signature : bytes
        What it was asked about.
    certificate : str
        Root certificate of the authority, PEM.

    Returns
    -------
    datetime
        In UTC.

    Raises
    ------
    InputError
        When the certificate cannot be read.
    SignatureInvalid
        When the answer is none of this authority, or about something else.
    """
    try:
        root = load_pem_x509_certificate(certificate.encode())
    except ValueError as error:
        raise InputError(f"The authority's certificate cannot be read: {error}.") from error
    try:
        response = decode_timestamp_response(token)
        VerifierBuilder().add_root_certificate(root).build().verify_message(response, signature)
        return response.tst_info.gen_time.astimezone(UTC)
    except (VerificationError, ValueError) as error:
        raise SignatureInvalid(f"The timestamp does not hold: {error}.") from error
