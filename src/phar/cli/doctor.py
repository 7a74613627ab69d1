"""Say what is installed, what runs the nets, and which profiles can be used."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any

from phar import __version__
from phar.profile import RESOURCES, Profile, bundled_profiles, fits_hash, load_profile, stated_hash
from phar.schema import ProfileError

_PACKAGES = (
    "torch",
    "openvino",
    "mmengine",
    "mmcv",
    "mmcv-lite",
    "mmaction2",
    "mmdet",
    "mmpose",
    "numpy",
    "opencv-python-headless",
    "av",
    "imageio-ffmpeg",
    "librosa",
    "pyloudnorm",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the findings; exit code 4 if no profile, or none of OpenMMLab, can be used."""
    found = examine()
    if args.json:
        print(json.dumps(found, indent=2))
    else:
        _print(found)
    usable = any(profile["usable"] for profile in found["profiles"].values())
    return 0 if usable and not found["operators"].startswith("missing") else ProfileError.exit_code


def examine() -> dict[str, Any]:
    """Return everything the command prints."""
    return {
        "phar": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": {name: _version(name) for name in _PACKAGES},
        "operators": _operators(),
        "ffmpeg": _ffmpeg(),
        "cpu": _cpu(),
        "gpu": _gpu(),
        "resources": str(RESOURCES),
        "profiles": {name: _profile(name) for name in bundled_profiles()},
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _operators() -> str:
    try:
        from phar.openmmlab.imports import ops_kind

        return ops_kind()
    except ImportError as error:
        return f"missing: {error}"


def _ffmpeg() -> str:
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        return f"missing: {error}"


def _cpu() -> dict[str, Any]:
    """Return the CPU's name, cores, instructions, and the arithmetic that nets run in on it."""
    import os

    fields: dict[str, str] = {}
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            key, _, value = line.partition(":")
            fields.setdefault(key.strip(), value.strip())
    flags = set(fields.get("flags", "").split())
    return {
        "name": fields.get("model name") or platform.processor() or "unknown",
        "cores": os.cpu_count(),
        "avx2": "avx2" in flags,
        "avx512": "avx512f" in flags,
        "bf16": bool(flags & {"avx512_bf16", "amx_bf16"}),
        "precision": _precision(),
    }


def _precision() -> str:
    try:
        from phar.openmmlab.backends import openvino_precision

        return openvino_precision()
    except ImportError:
        return "f32"


def _gpu() -> list[str]:
    try:
        import torch
    except ImportError:
        return []
    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]


def _profile(name: str) -> dict[str, Any]:
    try:
        profile = load_profile(name)
    except ProfileError as error:
        return {"usable": False, "reason": str(error)}
    missing = profile.missing_checkpoints()
    if missing:
        return {"usable": False, "reason": f"no checkpoint for {', '.join(missing)}"}
    wrong = _other_hashes(profile)
    if wrong:
        return {"usable": False, "reason": f"other hash than stated: {', '.join(wrong)}"}
    return {"usable": True, "reason": "all checkpoints are here and fit their hashes"}


def _other_hashes(profile: Profile) -> list[str]:
    """Return the models whose checkpoint's hash is not the stated one."""
    wrong = []
    for name, model in profile.models().items():
        if model.checkpoint is not None and not fits_hash(model.checkpoint, stated_hash(model)):
            wrong.append(name)
    return wrong


def _print(found: dict[str, Any]) -> None:
    cpu = found["cpu"]
    abilities = " ".join(name for name in ("avx2", "avx512", "bf16") if cpu[name]) or "no avx2"
    rows = [
        ("phar", found["phar"]),
        ("python", f"{found['python']}, {found['system']}"),
        *((name, version or "not installed") for name, version in found["packages"].items()),
        ("operators", found["operators"]),
        ("ffmpeg", found["ffmpeg"]),
        ("cpu", f"{cpu['name']}, {cpu['cores']} cores, {abilities}; nets in {cpu['precision']}"),
        ("gpu", ", ".join(found["gpu"]) or "none"),
        ("resources", found["resources"]),
        *(
            (f"profile {name}", f"{'usable' if profile['usable'] else 'not usable'}: {profile['reason']}")
            for name, profile in found["profiles"].items()
        ),
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:{width}}  {value}")
