"""Sound files as people have them: headers that are off, formats that nothing here decodes, absurd sizes."""

import contextlib
import re
import struct

import numpy as np
import pytest
import soundfile
import torch

from snn_synth.data import read_audio
from snn_synth.errors import InputError
from tests.fuzz.harness import bounded

TONE = (16000 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)).astype("<i2")
LIST = b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 14) + b"Lavf58.29.100\0"


def wav(data=None, says=None, riff=None, before=b"", after=b"", width=2):
    """A WAV file of 16 bits (or 8) at 8 kHz, with the sizes that its header says."""
    data = TONE.tobytes() if data is None else data
    head = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000 * width, width, 8 * width) + before
    body = head + b"data" + struct.pack("<I", len(data) if says is None else says) + data + after
    return b"RIFF" + struct.pack("<I", len(body) if riff is None else riff) + body


@pytest.fixture
def read(tmp_path):
    def read(content, name="word.wav"):
        (tmp_path / name).write_bytes(content)
        return read_audio(tmp_path / name)

    return read


UNFINISHED = {
    "its recorder crashed": wav(says=0, riff=0),
    "its recorder crashed, a full header": wav(says=0, riff=36),
    "and had written who it was": wav(says=0, riff=0, before=LIST),
    "libsndfile's own": wav(says=0, riff=8),
    "ffmpeg to a pipe": wav(says=2**32 - 1, riff=2**32 - 1),
    "arecord to a pipe": wav(says=2**31 - 1, riff=2**31 - 1),
    "sox to a pipe": wav(says=0x7FFFF000),
    "the size of the file": wav(says=16044),
    "6 bytes too many": wav(says=16006),
    "RIFF size alone": wav(riff=0),
    "a chunk after the data": wav(after=LIST),
    "1 % missing": wav(says=16160),
}


@pytest.mark.parametrize("content", UNFINISHED.values(), ids=UNFINISHED)
def test_what_is_there_is_read(read, content):
    waveform, rate = read(content)
    assert rate == 8000
    assert np.array_equal(waveform.numpy() * 32768, TONE)


def test_a_size_that_reaches_into_the_next_chunk_or_lacks_a_pad_byte_costs_a_few_samples(read):
    for content in (wav(says=16006, after=LIST), wav(TONE.tobytes()[:-1], after=LIST), wav(says=15994)):
        waveform, _ = read(content)
        assert abs(len(waveform) - 8000) <= 3
        assert np.array_equal(waveform[:7997].numpy() * 32768, TONE[:7997])


@pytest.mark.parametrize("says", [16000 + 322, 32000, 0x70000000])
def test_more_than_one_percent_missing_is_cut_short(read, says):
    with pytest.raises(InputError, match=rf"Expected {says} bytes of audio, got 16000: .*word\.wav is cut short"):
        read(wav(says=says))


def test_of_a_long_sound_a_tenth_of_a_second_missing_is_cut_short(read):
    long = np.tile(TONE, 20).tobytes()
    assert len(read(wav(long, says=len(long) + 1500))[0]) == 160_000
    with pytest.raises(InputError, match="cut short"):
        read(wav(long, says=len(long) + 1700))


def test_an_empty_recording_with_a_chunk_after_it_is_empty(read):
    with pytest.raises(InputError, match="got none"):
        read(wav(b"", after=LIST))


def test_an_unfinished_recording_may_be_too_long(read):
    with pytest.raises(InputError, match=r"at most 30 seconds, got 30\.1"):  # not: at most 30, got 30.0
        read(wav(np.tile(TONE, 31)[:240_100].tobytes(), says=0))


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("memo.m4a", b"\0\0\0\x20ftypM4A \0\0\0\0"),
        ("memo.wav", b"\0\0\0\x18ftypisom\0\0\0\0"),  # renamed
        ("memo.3gp", b"\0\0\0\x14ftyp3gp5\0\0\0\0"),
        ("memo.webm", b"\x1aE\xdf\xa3\x9fB\x86\x81\x01"),
        ("memo.opus", b"\x1aE\xdf\xa3\x9fB\x86\x81\x01"),
        ("memo.wma", b"0&\xb2u\x8ef\xcf\x11\xa6\xd9"),
        ("memo.AAC", b"\xff\xf1\x50\x80\x02\x1f\xfc"),
        ("memo.amr", b"#!AMR\n"),
    ],
)
def test_a_format_that_is_not_decoded_gets_a_hint(read, name, head):
    with pytest.raises(InputError, match=rf"Expected a sound file .*{name}.*: convert it, ffmpeg -i {name} ") as caught:
        read(head + bytes(range(256)) * 8, name)
    assert "\n" not in str(caught.value)


def test_a_text_with_the_name_of_a_sound_gets_a_hint(read):
    with pytest.raises(
        InputError, match=r": if it is a recording, convert it, ffmpeg -i notes\.wav notes-converted\.wav"
    ):
        read(b"Dear diary, today I said seven.", "notes.wav")


def test_a_sound_that_is_too_long_is_to_be_cut(tmp_path):
    soundfile.write(tmp_path / "long.wav", np.tile(TONE[:8000], 34)[: int(33.5 * 8000)], 8000)
    with pytest.raises(InputError, match=r"at most 30 seconds, got 33\.5 seconds in .*long\.wav: cut it into parts"):
        read_audio(tmp_path / "long.wav")


def test_mp3_and_opus_are_decoded(tmp_path):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    for name, container, subtype in (("a.mp3", "MP3", "MPEG_LAYER_III"), ("a.opus", "OGG", "OPUS")):
        soundfile.write(tmp_path / name, tone, 16000, format=container, subtype=subtype)
        waveform, rate = read_audio(tmp_path / name)
        assert rate == 16000
        assert np.abs(waveform[2000:14000].numpy() - tone[2000:14000]).max() < 0.05


def flac(path, samples, rate, channels):
    """A FLAC file of 4,096 samples whose header says it has others."""
    soundfile.write(path, np.tile(TONE[:4096, None], channels), 96000, format="FLAC")
    content = bytearray(path.read_bytes())
    fields = int.from_bytes(content[18:26], "big")  # rate 20 bits, channels 3, bits 5, samples 36
    fields = (fields & ~(2**36 - 1) & (2**44 - 1)) | rate << 44 | samples
    content[18:26] = fields.to_bytes(8, "big")
    path.write_bytes(content)


def test_memory_follows_the_sound_and_not_its_header(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.fuzz.harness.MEMORY", 200 << 20)
    flac(tmp_path / "a.flac", 29 * 384_000, 384_000, channels=8)  # 356 MB as float32
    with pytest.raises(InputError, match="cut short or damaged"), bounded():
        read_audio(tmp_path / "a.flac")


def test_absurd_sizes_are_refused(tmp_path):
    flac(tmp_path / "long.flac", 2**36 - 1, 96000, channels=1)
    with pytest.raises(InputError, match=r"at most 30 seconds, got 715827\.9"):
        read_audio(tmp_path / "long.flac")
    flac(tmp_path / "unknown.flac", 0, 96000, channels=1)  # as ffmpeg writes it to a pipe
    with pytest.raises(
        InputError, match=r"says how long .* convert it, ffmpeg -i unknown\.flac unknown-converted\.wav"
    ):
        read_audio(tmp_path / "unknown.flac")
    soundfile.write(tmp_path / "fast.wav", TONE, 2_000_000)
    with pytest.raises(InputError, match="at most 1000000 Hz, got 2000000 Hz"):
        read_audio(tmp_path / "fast.wav")


@pytest.mark.parametrize("field", [b"sample_count -i x9999999999", b"sample_count -i 99999999999999999999", b""])
@pytest.mark.parametrize("size", [b"   1024", b"      0", b"99999999", b"     x1"])
def test_a_sphere_header_with_junk_is_a_sound_or_one_sentence(tmp_path, field, size):
    path = tmp_path / "word.wav"
    soundfile.write(path, TONE, 8000, format="NIST", subtype="PCM_16")
    content = path.read_bytes()
    content = content.replace(b"sample_count -i 8000", field, 1).replace(b"   1024", size, 1)
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        waveform, rate = read_audio(path)
        assert abs(len(waveform) - 8000) < 20
        assert rate == 8000


def test_three_channels_are_averaged_over_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("snn_synth.data.sound_files.BLOCK", 1000)
    samples = torch.rand(5003, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    soundfile.write(tmp_path / "a.wav", samples.numpy(), 8000, subtype="FLOAT")
    assert torch.equal(read_audio(tmp_path / "a.wav")[0], samples.mean(1))


def taken(content, tmp_path):
    """Whether a file is read, and not refused as cut short."""
    (tmp_path / "word.wav").write_bytes(content)
    try:
        return len(read_audio(tmp_path / "word.wav")[0]) > 0
    except InputError as error:
        if "cut short" not in str(error):
            raise
        return False


def test_how_much_may_be_missing_to_the_byte(tmp_path):
    short, second, long = TONE.tobytes()[:2000], TONE.tobytes()[:15840], np.tile(TONE, 20).tobytes()
    assert [taken(wav(short, says=2000 + missing), tmp_path) for missing in (64, 65)] == [True, False]
    assert [taken(wav(second, says=15840 + missing), tmp_path) for missing in (160, 161)] == [True, False]  # 1 %
    assert [taken(wav(long, says=320_000 + missing), tmp_path) for missing in (1600, 1601)] == [True, False]  # 0.1 s
    bytewise = bytes(range(1, 251)) * 480  # 15 s
    assert [taken(wav(bytewise, 120_000 + n, width=1), tmp_path) for n in (800, 801)] == [True, False]


def test_a_tenth_of_a_second_is_not_measured_in_less_than_a_byte(tmp_path):
    """Of ADPCM, with two samples in a byte, 100 bytes in 20,000 are within both limits."""
    soundfile.write(tmp_path / "a.wav", np.tile(TONE, 5), 8000, subtype="IMA_ADPCM")
    content = bytearray((tmp_path / "a.wav").read_bytes())
    at = content.index(b"data") + 4
    size = struct.unpack_from("<I", content, at)[0]
    assert size // 40_000 == 0
    struct.pack_into("<I", content, at, size + 100)
    assert taken(content, tmp_path)
    struct.pack_into("<I", content, at, size + 300)
    assert not taken(content, tmp_path)


@pytest.mark.parametrize(("says", "cut"), [(0x7FFEFFFF, True), (0x7FFF0000, False)])
def test_from_which_size_on_it_is_that_of_a_pipe(says, cut, tmp_path):
    assert taken(wav(says=says), tmp_path) is not cut


def test_a_sound_of_30_seconds_is_not_too_long(tmp_path):
    soundfile.write(tmp_path / "a.wav", TONE[:3000], 100)
    assert len(read_audio(tmp_path / "a.wav")[0]) == 3000
    soundfile.write(tmp_path / "a.wav", TONE[:3001], 100)
    with pytest.raises(InputError, match=r"at most 30 seconds, got 30\.1 seconds"):
        read_audio(tmp_path / "a.wav")


def test_limits_of_rate_and_loudness_are_allowed(tmp_path):
    soundfile.write(tmp_path / "a.wav", TONE, 1_000_000)
    assert read_audio(tmp_path / "a.wav")[1] == 1_000_000
    soundfile.write(tmp_path / "a.wav", TONE, 1_000_001)
    with pytest.raises(InputError, match="at most 1000000 Hz, got 1000001 Hz"):
        read_audio(tmp_path / "a.wav")
    soundfile.write(tmp_path / "a.wav", np.full(100, 1e-4), 8000, subtype="FLOAT")
    assert read_audio(tmp_path / "a.wav")[0].max() == pytest.approx(1e-4)


@pytest.mark.parametrize(("size", "read"), [(60_000, True), (66_000, False)])
def test_an_unfinished_header_is_looked_at_up_to_64_kb(size, read, tmp_path):
    (tmp_path / "a.wav").write_bytes(wav(says=0, riff=0, before=b"JUNK" + struct.pack("<I", size) + bytes(size)))
    if read:
        assert np.array_equal(read_audio(tmp_path / "a.wav")[0].numpy() * 32768, TONE)
    else:
        with pytest.raises(InputError, match="got none"):
            read_audio(tmp_path / "a.wav")


def sphere(path, size=1024, **fields):
    """A SPHERE file of 8,000 samples with other lines in its header."""
    soundfile.write(path, TONE, 8000, format="NIST", subtype="PCM_16")
    content = path.read_bytes()
    head, data = content[:1024].split(b"end_head")[0].replace(b"   1024", b"%7d" % size, 1), content[1024:]
    for name, value in fields.items():
        head = re.sub(rb"(?m)^%s -i .*$" % name.encode(), f"{name} -i {value}".encode(), head)
    path.write_bytes((head + b"end_head\n").ljust(1024) + data)
    return path


def test_what_a_sphere_header_promises(tmp_path):
    """A number after two spaces libsndfile reads too; here it counts as not given: one channel, of two bytes."""
    path = tmp_path / "word.wav"
    for fields in ({"sample_count": 8000}, {"sample_count": " 8000"}, {"sample_count": " 8000", "sample_n_bytes": 2}):
        assert len(read_audio(sphere(path, **fields))[0]) == 8000
    for fields, promised in (
        ({"sample_count": 9000}, 18_000),
        ({"sample_count": 9000, "sample_n_bytes": " 2"}, 18_000),
        ({"sample_count": 9000, "channel_count": " 1"}, 18_000),
        ({"sample_count": 4500, "channel_count": 2}, 18_000),
    ):
        with pytest.raises(InputError, match=rf"Expected {promised} bytes of audio, got 16000: .* is cut short"):
            read_audio(sphere(path, **fields))


def test_a_sphere_header_is_no_shorter_than_its_first_lines_and_no_longer_than_the_file(tmp_path):
    path = tmp_path / "word.wav"
    assert len(read_audio(sphere(path, 16))[0]) == 8000 + 504
    with pytest.raises(InputError, match="got one of 15 bytes"):
        read_audio(sphere(path, 15))
    with pytest.raises(InputError, match="Expected 16000 bytes of audio, got 0: "):
        read_audio(sphere(path, 20_000))


def test_an_unfinished_recording_is_read_whole_at_any_rate(tmp_path):
    content = wav(np.tile(TONE, 3)[:20_000].tobytes(), says=0, riff=0)
    content = content.replace(struct.pack("<II", 8000, 16_000), struct.pack("<II", 10**6, 2 * 10**6))
    (tmp_path / "a.wav").write_bytes(content)
    waveform, rate = read_audio(tmp_path / "a.wav", max_seconds=0.02)
    assert (len(waveform), rate) == (20_000, 10**6)


@pytest.mark.parametrize(("seconds", "most"), [(20, 80_000), (60, 240_000), (200, 240_000)])
def test_an_unfinished_recording_that_is_too_large_is_not_cut_in_silence(seconds, most, tmp_path, monkeypatch):
    monkeypatch.setattr("snn_synth.data.sound_files.MAX_RATE", 1000)
    for size in (most, most + 1):
        content = wav(np.tile(TONE, 16).tobytes()[: size - 44], says=0, riff=0)
        content = content.replace(struct.pack("<II", 8000, 16_000), struct.pack("<II", 1000, 2000))
        assert len(content) == size
        (tmp_path / "a.wav").write_bytes(content)
        if size == most and seconds == 200:
            assert len(read_audio(tmp_path / "a.wav", seconds)[0]) == (size - 44) // 2
            continue
        message = (
            f"at most {seconds} seconds, got" if size == most else f"recording of at most {most:,} bytes, got more"
        )
        with pytest.raises(InputError, match=message):
            read_audio(tmp_path / "a.wav", seconds)


def test_why_a_file_could_not_be_read(tmp_path):
    (tmp_path / "notes.txt").write_text("no sound")
    with pytest.raises(InputError, match=r"notes\.txt \(Format not recogni[sz]ed\): if it is a recording, convert"):
        read_audio(tmp_path / "notes.txt")
    with pytest.raises(InputError, match=r"got /proc/self/mem \(Input/output error\)$"):
        read_audio("/proc/self/mem")
