from __future__ import annotations

from cephstd.knowledge.landmark_names import landmarks_behind


def test_constructed_points_are_followed_to_what_they_rest_on():
    found = landmarks_behind(["SNA", "SN_GoGn", "of_my_own"])
    assert found["SNA"] == {"S", "N", "A"}
    assert {"S", "N", "Go"} <= found["SN_GoGn"]
    assert "of_my_own" not in found
