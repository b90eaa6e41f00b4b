"""Speak lines with espeak-ng: run as a script, `python _espeak_worker.py`, one process per voice.

espeak-ng keeps global state (its flutter goes on from take to take) and is not thread-safe. In a fresh
process per voice, a voice's takes depend on nothing but their own list; a script need not import torch.

In: one line of JSON on stdin, `{"voice": ..., "takes": [[text, rate, pitch, pitch_range], ...]}`.
Out, on stdout: the sample rate (uint32), then for each take its number of samples (uint32) and them (int16).
"""

import ctypes
import json
import struct
import sys

RATE, PITCH, RANGE = 1, 3, 4  # espeak_PARAMETER
RETRIEVAL, CHARS_UTF8 = 2, 1  # output mode: hand over the samples and wait; text encoding


def main() -> None:
    """Read the job, speak it, write the samples."""
    import espeakng_loader

    job = json.loads(sys.stdin.readline())
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    sample_rate = library.espeak_Initialize(RETRIEVAL, 0, espeakng_loader.get_data_path().encode(), 0)
    library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # breath noise is random, and seeded by the clock
    chunks: list[bytes] = []

    def collect(samples: int | None, count: int, _events: int | None) -> int:
        if samples:
            chunks.append(ctypes.string_at(samples, 2 * count))
        return 0

    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)(collect)
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(job["voice"].encode()):
        sys.exit(f"espeak-ng has no voice {job['voice']}")
    output = sys.stdout.buffer
    output.write(struct.pack("<I", sample_rate))
    for text, rate, pitch, pitch_range in job["takes"]:
        for parameter, value in ((RATE, rate), (PITCH, pitch), (RANGE, pitch_range)):
            library.espeak_SetParameter(parameter, value, 0)
        chunks.clear()
        utterance = text.encode()
        library.espeak_Synth(utterance, ctypes.c_size_t(len(utterance) + 1), 0, 0, 0, CHARS_UTF8, None, None)
        samples = b"".join(chunks)
        output.write(struct.pack("<I", len(samples) // 2) + samples)


if __name__ == "__main__":
    main()
