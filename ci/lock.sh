#!/usr/bin/env bash
# Write the locks: pinned and hashed, for every Python and system that we support, without an index line or a host.
# Usage: ci/lock.sh [UV_ARGUMENT...]     e.g. ci/lock.sh --upgrade
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}
options=(--universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --no-annotate --quiet)

# Extras that tests install; train is not among them, since torch comes in builds that share a version.
extras=()
for extra in batch cluster dicom fhir ledger models report sign; do extras+=(--extra "$extra"); done

# All tools are resolved first; the smaller locks are cut from that, so that one version of a package is used anywhere.
"$uv" pip compile pyproject.toml "${options[@]}" "$@" "${extras[@]}" -o requirements/ci.txt \
  --group test --group lint --group docs --group notebooks --group audit --group train-tools --group build
"$uv" pip compile pyproject.toml "${options[@]}" -c requirements/ci.txt "${extras[@]}" -o requirements/test.txt --group test
"$uv" pip compile pyproject.toml "${options[@]}" -c requirements/ci.txt -o requirements/base.txt
