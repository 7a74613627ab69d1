"""Reads configs and checkpoints and builds nets from them; loading a checkpoint never runs code."""

from __future__ import annotations

import hashlib
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from phar.openmmlab import imports, old_keys
from phar.profile import weights_sha256
from phar.schema import ModelError

if TYPE_CHECKING:
    from mmengine.config import Config

#: Names that checkpoints of MMEngine's Runner refer to beside tensors: the log history and numpy numbers.
_INERT_NAMES = (
    "mmengine.logging.history_buffer.HistoryBuffer",
    "builtins.getattr",
    "numpy.ndarray",
    "numpy.dtype",
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    *(f"numpy.dtypes.{kind}DType" for kind in ("Bool", "Int32", "Int64", "Float16", "Float32", "Float64")),
)


class _Inert:
    """Takes the place of an object that is not wanted; keeps nothing and does nothing."""

    def __init__(self, *_arguments: Any) -> None:
        pass

    def __setstate__(self, _state: Any) -> None:
        pass

    def __hash__(self) -> int:
        return 0


def _stand_in() -> type[_Inert]:
    return type("Inert", (_Inert,), {})


def load_config(config: str | Path | Config) -> Config:
    """Read a config; a `.py` config is Python code, so it must come from the package or be named by the user.

    `config` may be a path or an mmengine Config. Raises ModelError.
    """
    imports.install()
    from mmengine.config import Config

    if isinstance(config, Config):
        return config
    if not Path(config).is_file():
        raise ModelError(f"config {config} is not there; check the path")
    try:
        loaded = Config.fromfile(str(config))
    except Exception as error:
        raise ModelError(f"config {config} cannot be read: {_one_line(error)}") from error
    if "model" not in loaded:
        raise ModelError(f"config {config} describes no model; name an MMAction2, MMDet or MMPose 1.x config")
    return loaded


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint: {"state_dict": {name: tensor}, "meta": {...}}, on the CPU.

    Weights that older releases named otherwise have the names of today (`phar.openmmlab.old_keys`).
    `.safetensors` is plain data. Anything else is read with torch's restricted unpickler; the few other
    names that training runs leave in their files become objects without behaviour. A file that refers to
    anything else is refused and nothing of it runs. Raises ModelError.
    """
    path = _existing(path)
    try:
        if path.suffix == ".safetensors":
            return _load_safetensors(path)
        stand_ins = [(_stand_in(), name) for name in _INERT_NAMES]
        with torch.serialization.safe_globals(stand_ins):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        name = re.search(r"GLOBAL ([\w.]+)|(?:class|function|Unsupported operand) ([\w.]+)", str(error))
        detail = f" (it asks for {next(filter(None, name.groups()))})" if name else ""
        raise ModelError(
            f"checkpoint {path} is refused: it holds more than tensors and plain values{detail};"
            " nothing of it was run; save its state_dict alone, or as .safetensors"
        ) from error
    except Exception as error:
        raise ModelError(f"checkpoint {path} cannot be read: {_one_line(error)}") from error
    return {"state_dict": _state_dict(content, path), "meta": _plain_meta(content)}


def load_training_state(path: str | Path) -> dict[str, Any]:
    """Read all of a Runner's checkpoint, as restricted as `load_checkpoint`: weights, optimizer, schedules.

    The log history in it is inert. Raises ModelError.
    """
    try:
        with torch.serialization.safe_globals([(_stand_in(), name) for name in _INERT_NAMES]):
            content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(f"checkpoint {path} cannot be resumed: {_one_line(error)}") from error
    return content


def _load_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import safe_open

    with safe_open(path, framework="pt", device="cpu") as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return {"state_dict": _state_dict(state, path), "meta": dict(file.metadata() or {})}


def _state_dict(content: Any, path: Path) -> dict[str, Tensor]:
    state = content
    for name in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            state = content[name]
            break
    if not isinstance(state, Mapping) or not any(isinstance(v, Tensor) for v in state.values()):
        raise ModelError(f"checkpoint {path} holds no state_dict; name a file of net weights")
    tensors = {re.sub(r"^module\.", "", str(k)): v for k, v in state.items() if isinstance(v, Tensor)}
    return old_keys.current(tensors)


def _plain_meta(content: Any) -> dict[str, Any]:
    meta = content.get("meta", {}) if isinstance(content, Mapping) else {}
    plain = (str, int, float, bool, list, tuple, dict, type(None))
    return {k: v for k, v in meta.items() if isinstance(v, plain)} if isinstance(meta, Mapping) else {}


def load_weights(
    model: nn.Module, checkpoint: str | Path, state: Mapping[str, Tensor], num_classes: int | None = None
) -> None:
    """Load `state` into `model`, every weight of both accounted for.

    `num_classes` is what the label file says. Raises ModelError: in one line where only the number of
    classes differs, else listing what is missing, unexpected or of another shape.
    """
    missing, unexpected, wrong = _load(model, checkpoint, state)
    if num_classes is not None and wrong and not missing and not unexpected:
        sizes = [(_sizes(got), _sizes(expected)) for _, got, expected in wrong]
        if all(len(g) == len(e) and g[1:] == e[1:] and e[0] == num_classes for g, e in sizes):
            raise ModelError(
                f"checkpoint {checkpoint} knows {sizes[0][0][0]} classes, but {num_classes} labels are given;"
                " name the label file it was trained with"
            )
    shapes = [f"{name} [{got}] for [{expected}]" for name, got, expected in wrong]
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
    problems = [f"{len(names)} {kind}: {_some(names)}" for kind, names in kinds.items() if names]
    if problems:
        raise ModelError(f"checkpoint {checkpoint} does not fit its config; " + "; ".join(problems))


def _load(
    model: nn.Module, checkpoint: str | Path, state: Mapping[str, Tensor]
) -> tuple[list[str], list[str], list[tuple[str, str, str]]]:
    """Load what fits: (missing, unexpected, [(name, shape there, shape here)])."""
    try:
        result = model.load_state_dict(dict(state), strict=False)
        return result.missing_keys, result.unexpected_keys, []
    except RuntimeError as error:
        wrong = re.findall(
            r"size mismatch for (\S+): copying a param with shape torch.Size\(\[([\d, ]*)\]\)"
            r" from checkpoint, the shape in current model is torch.Size\(\[([\d, ]*)\]\)",
            str(error),
        )
        if not wrong:
            raise ModelError(f"checkpoint {checkpoint} does not fit: {_one_line(error)}") from error
    # torch told of the shapes that differ and of nothing else; without those it tells the rest.
    names = {name for name, *_ in wrong}
    rest = {name: tensor for name, tensor in state.items() if name not in names}
    if len(rest) == len(state):
        return [], [], wrong
    missing, unexpected, more = _load(model, checkpoint, rest)
    return [name for name in missing if name not in names], unexpected, wrong + more


def build(config: Mapping[str, Any], scope: str, seed: int) -> nn.Module:
    """Build the net of a config's `model` entry, weights drawn from `seed`, in evaluation mode on the CPU."""
    from mmengine.model import revert_sync_batchnorm

    with imports.scope(scope):
        from mmengine.registry import MODELS

        description = without_downloads(config)
        # For training only; what draws its random numbers cannot be built on the meta device.
        (description.get("data_preprocessor") or {}).pop("blending", None)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            try:
                model = MODELS.build(description)
            except ModelError:
                raise
            except Exception as error:
                raise ModelError(f"the config's model cannot be built: {_one_line(error)}") from error
    model = revert_sync_batchnorm(model)
    # Some backbones' train() gives back nothing, so eval() is not chained.
    model.eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model


def without_downloads(config: Any) -> Any:
    """Return the config without pretrained weights that building it would fetch from the network."""
    if isinstance(config, Mapping):
        # A ConfigDict stays one: nets read their test settings as attributes.
        kept: Any = type(config)()
        for key, value in config.items():
            fetched = key == "pretrained" or (key == "init_cfg" and _is_pretrained(value))
            kept[key] = None if fetched else without_downloads(value)
        return kept
    if isinstance(config, (list, tuple)):
        return type(config)(without_downloads(v) for v in config)
    return config


def _is_pretrained(init_cfg: Any) -> bool:
    return isinstance(init_cfg, Mapping) and init_cfg.get("type") == "Pretrained"


def pick_device(device: str) -> torch.device:
    """The device named, or with "auto" the first GPU if there is one, else the CPU. Raises ModelError."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        picked = torch.device(device)
    except RuntimeError as error:
        raise ModelError(f"device {device!r} is unknown; use auto, cpu or cuda") from error
    if picked.type == "cuda" and not torch.cuda.is_available():
        raise ModelError(f"device {device!r} was asked for, but torch sees no GPU here; use --device cpu")
    return picked


def sources(config: str | Path | Config, checkpoint: str | Path | None) -> dict[str, Any]:
    """Where a net came from, for reports: config and checkpoint as named, and the checkpoint's SHA-256."""
    named = config if isinstance(config, (str, Path)) else getattr(config, "filename", None)
    return {
        "config": None if named is None else str(named),
        "checkpoint": None if checkpoint is None else str(checkpoint),
        "sha256": None if checkpoint is None else weights_sha256(Path(checkpoint)),
    }


def net_key(description: Mapping[str, Any], checkpoint: str | Path | None, seed: int, *form: object) -> str:
    """Name a net before it is built: by its description, its file of weights, and the code that reads both.

    `form`: what else decides its function. Raises ModelError if the checkpoint is not there.
    """
    weights = f"seed {seed}" if checkpoint is None else weights_sha256(_existing(checkpoint))
    digest = hashlib.sha256(repr((_plain(description), weights, form, torch.__version__)).encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:24]


def _plain(entry: Any) -> Any:
    """A description as plain values, in the order of its keys' names."""
    if isinstance(entry, Mapping):
        return {str(key): _plain(entry[key]) for key in sorted(entry, key=str)}
    if isinstance(entry, (list, tuple)):
        return [_plain(each) for each in entry]
    return entry


def _existing(checkpoint: str | Path) -> Path:
    path = Path(checkpoint)
    if not path.is_file():
        raise ModelError(
            f"checkpoint {path} is not there; check the path, or fetch it with `phar models pull`"
        )
    return path


def _sizes(text: str) -> list[int]:
    return [int(n) for n in text.split(",") if n.strip()]


def _some(names: list[str], limit: int = 20) -> str:
    more = f", and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
