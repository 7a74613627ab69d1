"""Writes log_mel_reference.npz with MMAction2's own script, for people who renew the stored values.

    python make_log_mel_reference.py build_audio_features.py FOLDER_OF_REAL_CLIPS

Needs the lws package: unpack its source archive, delete lws.bycython.cpp, and build it with
`LWS_USE_CYTHON=1 python setup.py build_ext --inplace` under a current Cython.
"""

import re
import runpy
import sys
import tempfile
from pathlib import Path

import numpy as np
from reference_sounds import REAL_SOUNDS, made_sounds, read_real


def main() -> None:
    script, media = map(Path, sys.argv[1:])
    # librosa 0.10 made these two arguments keyword-only.
    source, num_changes = re.subn(
        r"(filters\.mel\(\s*)(self\.sample_rate,\s*)(self\.fft_size)", r"\1sr=\2n_fft=\3", script.read_text()
    )
    if num_changes != 1:
        sys.exit(f"{script}: not the script that calls librosa.filters.mel once with positional arguments")
    with tempfile.TemporaryDirectory() as folder:
        patched = Path(folder, script.name)
        patched.write_text(source)
        tools = runpy.run_path(str(patched))["AudioTools"](fft_size=512, hop_size=256)
    sounds = made_sounds() | {name: read_real(media / path) for name, path in REAL_SOUNDS.items()}
    features = {
        name: tools.audio_to_spectrogram(tools.audio_normalize(samples)) for name, samples in sounds.items()
    }
    # Features lie in [0, 1]: 16 bits keep them to 8e-6.
    stored = {name: np.round(values * 65535).astype(np.uint16) for name, values in features.items()}
    np.savez_compressed(Path(__file__).with_name("log_mel_reference.npz"), **stored)


if __name__ == "__main__":
    main()
