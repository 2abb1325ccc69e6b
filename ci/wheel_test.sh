#!/usr/bin/env bash
# Tests and command line on the installed wheel, from a folder that holds no source of the package.
set -euo pipefail
cd "$(dirname "$0")/.."
checkout=$PWD
python=$checkout/build/wheel/bin/python
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

# 1. As a user: the wheel alone, an empty folder, one film.
mkdir "$stage/empty"
cp data/samples/composite_a.dcm "$stage/film.dcm"
(
  cd "$stage/empty"
  "$checkout/build/wheel/bin/cephstd" analyze ../film.dcm --out . > line.json
  "$checkout/build/wheel/bin/cephstd" verify film.record.json --source ../film.dcm > /dev/null
  test -s film.overlay.png
)

# 2. The tests, with everything of the checkout that they read except src/ and models/.
"$python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.txt
mkdir "$stage/checkout"
git ls-files -z -- . ':!src' ':!models' | xargs -0 cp --parents -t "$stage/checkout"
cd "$stage/checkout"
"$python" -m pytest -q -p no:cacheprovider -m "not torch and not films and not gpu and not servers and not source"
