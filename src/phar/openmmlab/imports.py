"""Makes the OpenMMLab libraries importable as they come from the package index.

Two modules are missing there: mmcv-lite has no `mmcv._ext`, and mmaction2's wheel lacks
`mmaction.models.localizers.drn`. A finder at the end of `sys.meta_path` supplies them, so a compiled mmcv
or a complete mmaction2 is always found first and used untouched.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

_OPS = "mmcv._ext"
_DRN = "mmaction.models.localizers.drn"
_DRN_MODULE = f"{_DRN}.drn"


class _MissingModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds and fills the modules that the wheels lack."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in (_OPS, _DRN, _DRN_MODULE):
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=fullname == _DRN)

    def exec_module(self, module: ModuleType) -> None:
        if module.__name__ == _OPS:
            from phar.openmmlab import ops

            def operator(name: str) -> object:
                if name.startswith("__"):
                    raise AttributeError(name)
                return ops.missing_operator(name)

            module.__dict__.update(nms=ops.nms, roi_align_forward=ops.roi_align_forward, __getattr__=operator)
        elif module.__name__ == _DRN_MODULE:
            module.__dict__["DRN"] = type("DRN", (), {"__doc__": "Absent from mmaction2's wheel."})


def install() -> None:
    """Register the finder, once; imports nothing."""
    if not any(isinstance(finder, _MissingModules) for finder in sys.meta_path):
        sys.meta_path.append(_MissingModules())
        # The libraries' calls of torch functions that have newer names are nothing a user can mend.
        warnings.filterwarnings("ignore", category=FutureWarning, module=r"mm(action|cv|det|engine|pose)\b")
        warnings.filterwarnings("ignore", message="torch.meshgrid", category=UserWarning)


def ops_kind() -> str:
    """Where mmcv's operators come from: "compiled" or "fallback"."""
    import mmcv._ext

    return "fallback" if isinstance(mmcv._ext.__spec__.loader, _MissingModules) else "compiled"


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Resolve registry names in the library `name` (mmaction, mmdet, mmpose) for the duration.

    The libraries share one global default scope, so it is set per call and given back.
    """
    install()
    from mmengine.registry import DefaultScope

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name == "mmaction":
            import mmaction.datasets.transforms
            import mmaction.models  # noqa: F401

            from phar.openmmlab import augmenting, letterbox, pose_steps, sound_steps, stem

            for steps in (stem, letterbox, augmenting, pose_steps, sound_steps):
                steps.register()
        elif name == "mmdet":
            import mmdet.datasets.transforms
            import mmdet.models  # noqa: F401
        elif name == "mmpose":
            import mmpose.codecs
            import mmpose.datasets.transforms
            import mmpose.models  # noqa: F401

            from phar.openmmlab import vit

            vit.register()
        else:
            raise ValueError(f"scope {name!r} is not mmaction, mmdet or mmpose")
    with DefaultScope.overwrite_default_scope(name):
        yield
