"""Values of the register that tests of several modules need."""

from __future__ import annotations

import msgspec

from cephstd.batch.register import Failure, Place, image_id

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def place(number: int, file: str = A, **changes: object) -> Place:
    made = Place(
        key=f"key{number}",
        image_id=image_id(file),
        file_sha256=file,
        pixel_sha256="sha256:" + "c" * 64,
        record_digest=f"sha256:{number:064d}",
        created="2025-04-16T09:30:00Z",
        site="north",
        date="",
        attributes="",
        part=1,
        start=100 * number,
        length=99,
        current=True,
    )
    return msgspec.structs.replace(made, **changes)


def failure(key: str = "key1", file: str = A, **changes: object) -> Failure:
    made = Failure(
        key=key,
        image_id=image_id(file),
        file_sha256=file,
        site="north",
        recipe_digest=B,
        status="failed",
        code="corrupt_image",
        message="Cut short.",
    )
    return msgspec.structs.replace(made, **changes)
