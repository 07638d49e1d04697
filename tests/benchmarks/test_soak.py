"""A short version of `python -m benchmarks soak`."""

from benchmarks.soak import soak


def test_what_a_run_holds_stays_flat(tmp_path):
    found = soak(tmp_path, hours=0.004, live_hours=0.05)
    for run in found.values():
        assert run["in_target"] == run["frames"] == run["coloured"]
        assert run["dropped"] == run["left_files"] == run["temporary_files"]["most"] == 0
        assert run["descriptors"]["most"] < 60
        assert run["memory_mb"]["most"] < 1000
    assert found["live"]["hours"] > 0.045
