"""A time-stamping authority of our own (RFC 3161), by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

CONFIG = """
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
[stamp]
basicConstraints = critical, CA:false
extendedKeyUsage = critical, timeStamping
[tsa]
default_tsa = own
[own]
serial = serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
"""


class Authority:
    """A root and a time-stamping certificate in `folder`; answers requests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "config").write_text(CONFIG)
        (folder / "serial").write_text("01\n")
        new = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -config config -days 20000"
        self.run(f"req -x509 {new} -keyout root.key -out root.pem -subj /CN=root -extensions root")
        signed = "-CA root.pem -CAkey root.key"
        self.run(f"req -x509 {new} -keyout stamp.key -out stamp.pem -subj /CN=stamp -extensions stamp {signed}")
        self.certificate = (folder / "root.pem").read_text()

    def run(self, words: str) -> None:
        subprocess.run(["openssl", *words.split()], cwd=self.folder, check=True, capture_output=True)

    def answer(self, request: bytes) -> bytes:
        (self.folder / "query").write_bytes(request)
        self.run("ts -reply -config config -queryfile query -inkey stamp.key -signer stamp.pem -out reply")
        return (self.folder / "reply").read_bytes()
