from __future__ import annotations

COMMAND = ("--recipe", "recipe.toml", "--models", "models")


def test_reanalysis_says_what_changed_and_why(cephstd, place):
    assert cephstd("batch", "films", *COMMAND, "--out", "run", "--workers", "1", "-q").code == 0
    text = (place / "recipe.toml").read_text()
    (place / "new.toml").write_text(text.replace("mm_per_px = 0.5", "mm_per_px = 0.25"))
    again = ("reanalyze", "run", "--recipe", "new.toml", "--models", "models", "--out", "run2")
    done = cephstd(*again)
    assert (done.code, {line["status"] for line in done.lines}) == (0, {"done"})
    assert "4 films" in done.err
    assert {"changes.json", "flips.csv", "changes", "records"} <= {path.name for path in (place / "run2").iterdir()}
    (place / "points.csv").write_text("image_id,landmark,x_px,y_px\n0,S,10,20\n0,N,16,20\n0,A,10,29\n")
    table = cephstd("reanalyze", "points.csv", *again[2:6], "--films", "films", "--out", "run3", "-q")
    assert [line["status"] for line in table.lines] == ["done"]
    lost = cephstd("reanalyze", "points.csv", *again[2:6], "--out", "run4", "-q")
    assert (lost.code, lost.lines[0]["code"]) == (1, "input")
