"""Packet files: what is written comes back, and what is damaged is told."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.packet import Packet

from vidcolor.film.packets import DamagedPackets, PacketWriter, check, read_packets, stamps


def packet(pts, data, *, key=False, duration=1, time_base=Fraction(1, 24)):
    made = Packet(data)
    made.pts, made.duration, made.time_base, made.is_keyframe = pts, duration, time_base, key
    return made


@pytest.fixture
def file(tmp_path):
    writer = PacketWriter(tmp_path / "000000.packets")
    rng = np.random.default_rng(0)
    for pts in (0, 3, 1, 2, 4):
        writer.write(packet(pts, rng.bytes(50 + pts), key=pts == 0))
    writer.finish(b"header")
    return tmp_path / "000000.packets"


def test_packets_come_back_as_they_were(file):
    found = list(read_packets(file))
    assert [p.pts for p in found] == stamps(file) == [0, 3, 1, 2, 4]
    assert [p.is_keyframe for p in found] == [True, False, False, False, False]
    assert [p.size for p in found] == [50, 53, 51, 52, 54]
    assert {(p.duration, p.time_base, p.dts) for p in found} == {(1, Fraction(1, 24), None)}
    footer = check(file)
    assert (footer.header, footer.packets, footer.size) == (b"header", 5, 260)
    assert not file.with_name(file.name + ".part").exists()


def test_any_changed_byte_and_any_cut_is_noticed(file):
    whole, footer = file.read_bytes(), check(file)
    for at in range(0, len(whole), 7):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        assert told(file) is None or told(file) != footer
    for end in (0, 10, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:end])
        with pytest.raises(DamagedPackets, match="made anew"):
            check(file)


def told(file):
    """The footer, whose digest the plan compares with its own; None where the file is known to be damaged."""
    try:
        return check(file)
    except DamagedPackets:
        return None


def test_an_unfinished_file_is_none_and_leaves_nothing(tmp_path):
    writer = PacketWriter(tmp_path / "a.packets")
    writer.write(packet(0, b"x" * 100))
    assert not (tmp_path / "a.packets").exists()
    writer.abandon()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DamagedPackets):
        check(tmp_path / "a.packets")


def test_packets_without_time_or_with_another_time_base_are_refused(tmp_path):
    writer = PacketWriter(tmp_path / "a.packets")
    writer.write(packet(0, b"x"))
    for wrong in (packet(None, b"x"), packet(1, b"x", time_base=Fraction(1, 25))):
        with pytest.raises(ValueError, match="PTS"):
            writer.write(wrong)
    writer.abandon()


def test_muxing_does_not_change_what_is_kept(tmp_path):
    """PyAV's mux rewrites the time stamps of the packet that it is given."""
    writer = PacketWriter(tmp_path / "a.packets")
    kept = packet(4, b"\0" * 40, key=True)
    writer.write(kept)
    writer.finish(b"")
    for _ in range(2):
        with av.open(str(tmp_path / "o.mkv"), "w") as out:
            stream = out.add_stream("ffv1", rate=24)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            for found in read_packets(tmp_path / "a.packets"):
                found.dts, found.stream = found.pts, stream
                out.mux(found)
        assert [(p.pts, p.time_base) for p in read_packets(tmp_path / "a.packets")] == [(4, Fraction(1, 24))]
