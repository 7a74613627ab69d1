"""Which of a detector's classes is persons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from phar.openmmlab import imports
from phar.schema import ModelError

#: By which layer of which head a checkpoint tells its number of classes, and outputs beyond the classes.
_CLASS_LAYERS = (("roi_head.bbox_head", "fc_cls.weight", 1), ("bbox_head", "rtm_cls.0.weight", 0))

#: Classes of COCO, of which person is the first.
_COCO_CLASSES = 80

#: What data sets call persons, the usual name first.
_PERSONS = ("person", "people", "human", "pedestrian")


def follow_classes(model: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    """Set the config's number of classes to the checkpoint's, where its layers tell."""
    for path, layer, background in _CLASS_LAYERS:
        head: Any = model
        for part in path.split("."):
            head = head.get(part) if isinstance(head, Mapping) else None
        weight = state.get(f"{path}.{layer}")
        if weight is not None and isinstance(head, dict):
            head["num_classes"] = weight.shape[0] - background
            return


def person_class(
    model: Mapping[str, Any], config: Mapping[str, Any], content: Mapping[str, Any] | None
) -> int:
    """Return the number of the class of persons.

    By the first list of names that is as long as the net has classes: the checkpoint's, the config's, its
    test data set's. Without one, a net of one class knows persons only, and of COCO's 80 person is the
    first. Raises ModelError where persons are not among the classes.
    """
    count = _num_classes(model)
    for names in (*_trained_on(content), *_named_in(config)):
        if len(names) == count:
            plain = [str(name).casefold() for name in names]
            known = [plain.index(name) for name in _PERSONS if name in plain]
            if known:
                return known[0]
            more = ", ..." if count > 5 else ""
            raise ModelError(
                f"the detector knows {', '.join(map(str, names[:5]))}{more} and no person;"
                " name one that finds persons"
            )
    if count in (1, _COCO_CLASSES):
        return 0
    raise ModelError(
        f"the detector knows {count} classes and none is named person;"
        " give the config metainfo=dict(classes=(...)) with person among them"
    )


def _num_classes(model: Mapping[str, Any]) -> int:
    head = model.get("bbox_head") or model.get("roi_head", {}).get("bbox_head") or {}
    head = head[0] if isinstance(head, (list, tuple)) else head
    if "num_classes" not in head:
        raise ModelError("the config's detector names no num_classes; name an mmdet 3.x config")
    return int(head["num_classes"])


def _trained_on(content: Mapping[str, Any] | None) -> Iterator[Sequence[Any]]:
    meta = (content or {}).get("meta", {})
    trained = meta.get("dataset_meta", {})
    yield from _lists(trained, "classes", "CLASSES")
    yield from _lists(meta, "CLASSES")


def _named_in(config: Mapping[str, Any]) -> Iterator[Sequence[Any]]:
    yield from _lists(config.get("metainfo", {}), "classes")
    dataset = config.get("test_dataloader", {}).get("dataset", {})
    # A data set may be wrapped in others, or be one of several.
    while isinstance(dataset, Mapping) and ("dataset" in dataset or "datasets" in dataset):
        dataset = dataset["dataset"] if "dataset" in dataset else dataset["datasets"][0]
    yield from _lists(dataset.get("metainfo", {}), "classes")
    with imports.scope("mmdet"):
        from mmdet.registry import DATASETS

        kind = dataset.get("type")
        known = DATASETS.get(kind) if isinstance(kind, str) else kind
    yield from _lists(getattr(known, "METAINFO", {}), "classes")


def _lists(named: Any, *keys: str) -> Iterator[Sequence[Any]]:
    """Yield the lists of names that a mapping holds under any of `keys`."""
    for key in keys:
        names = named.get(key) if isinstance(named, Mapping) else None
        if names:
            # A tuple of one is easily written without its comma.
            yield (names,) if isinstance(names, str) else names
