"""Small data sets and nets that learn them within seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from phar.dataset.examples import check_examples, write_examples
from phar.dataset.manifest import Clip
from phar.dataset.poses import PoseFile, write_poses

LABELS = ("low", "high")

AUDIO = """
model = dict(
    type='RecognizerAudio',
    backbone=dict(
        type='ResNetAudio', depth=50, pretrained=None, in_channels=1, base_channels=4, conv1_stride=2,
        strides=(2, 2, 2, 2), norm_eval=False, norm_cfg=dict(type='BN2d', momentum=0.5)),
    cls_head=dict(
        type='TSNAudioHead', num_classes=2, in_channels=128, dropout_ratio=0.2, average_clips='prob'))
train_pipeline = [
    dict(type='SampleFrames', clip_len=32, frame_interval=1, num_clips=1, out_of_bound_opt='repeat_last'),
    dict(type='AudioFeatureSelector', fixed_length=32),
    dict(type='FormatAudioShape', input_format='NCTF'),
    dict(type='PackActionInputs')]
test_pipeline = [
    dict(type='LoadAudioFeature'),
    dict(type='SampleFrames', clip_len=32, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='AudioFeatureSelector', fixed_length=32),
    dict(type='FormatAudioShape', input_format='NCTF'),
    dict(type='PackActionInputs')]
training = dict(
    iterations=60, batch_size=8, optimizer=dict(type='AdamW', lr=2e-3), warmup=4, ema_momentum=0.2)
"""

GRAPH = """
model = dict(
    type='RecognizerGCN',
    backbone=dict(
        type='STGCN', in_channels=3, base_channels=8, num_stages=3, inflate_stages=[3], down_stages=[2],
        gcn_adaptive='init', gcn_with_res=True, tcn_type='unit_tcn',
        graph_cfg=dict(layout='coco', mode='spatial')),
    cls_head=dict(type='GCNHead', num_classes=2, in_channels=16, average_clips='prob'))
train_pipeline = [
    dict(type='PartOfClip', share=0.8),
    dict(type='UniformSampleFrames', clip_len=8),
    dict(type='PoseDecode'),
    dict(type='VaryPoses', rotate_deg=5.),
    dict(type='BodyFrame'),
    dict(type='GenSkeFeat', dataset='coco', feats=['j']),
    dict(type='FormatGCNInput', num_person=1),
    dict(type='PackActionInputs')]
test_pipeline = [
    dict(type='UniformSampleFrames', clip_len=8, num_clips=1, test_mode=True),
    dict(type='PoseDecode'),
    dict(type='BodyFrame'),
    dict(type='GenSkeFeat', dataset='coco', feats=['j']),
    dict(type='FormatGCNInput', num_person=1),
    dict(type='PackActionInputs')]
training = dict(
    iterations=60, batch_size=8, optimizer=dict(type='AdamW', lr=5e-3), warmup=2, ema_momentum=0.2)
"""


def clips(label: str, split: str, count: int, first: int = 0) -> list[Clip]:
    return [
        Clip(f"{split}-{label}-{first + n:03}", split, label, "", Path("/v.mp4"), 0.0, 1.0, 0.0)
        for n in range(count)
    ]


def make_sounds(folder: Path, labels: tuple[str, ...] = LABELS, train: int = 12, val: int = 4) -> Path:
    """Spectrograms with the energy in one of as many parts as there are labels; those of test are damaged."""
    files = check_examples(folder, "audio")
    made = []
    for number, label in enumerate(labels):
        # The first class has thrice as many clips.
        for split, count in (("train", train * (3 if not number else 1)), ("val", val), ("test", 2)):
            for clip in clips(label, split, count):
                rng = np.random.default_rng(abs(hash_of(clip.id)))
                rows = rng.uniform(0, 0.3, (40, 80)).astype(np.float32)
                width = 80 // len(labels)
                rows[:, number * width : (number + 1) * width] += 0.5
                path = files / f"{clip.id}.npy"
                if split == "test":
                    path.write_bytes(b"test clips are not for training")
                else:
                    np.save(path, rows)
                made.append(clip)
    write_examples(folder, "audio", made, [(clip, "") for clip in made], {}, labels)
    return folder


def make_poses(folder: Path, train: int = 8, val: int = 4) -> Path:
    """A body whose right hand is low or high."""
    files = check_examples(folder, "skeleton")
    made = []
    for number, label in enumerate(LABELS):
        for split, count in (("train", train), ("val", val)):
            for clip in clips(label, split, count):
                write_poses(body(hash_of(clip.id), high=bool(number)), files / f"{clip.id}.npz")
                made.append(clip)
    write_examples(folder, "skeleton", made, [(clip, "") for clip in made], {}, LABELS)
    return folder


def body(seed: int, high: bool, num_frames: int = 30) -> PoseFile:
    rng = np.random.default_rng(seed)
    stand = 100 + rng.uniform(-5, 5, (17, 2))
    stand[5:7] = [[115, 60], [85, 60]]
    stand[11:13] = [[110, 110], [90, 110]]
    joints = np.repeat(stand[None], num_frames, 0) + rng.normal(0, 1, (num_frames, 17, 2))
    joints[:, 10] = [80, 30 if high else 140]
    joints += rng.uniform(0, 200, 2)
    scores = np.ones((1, num_frames, 17), np.float32)
    return PoseFile(joints[None].astype(np.float32), scores, (480, 640), np.arange(num_frames) / 30)


def hash_of(text: str) -> int:
    import zlib

    return zlib.crc32(text.encode())


CLIPS = """
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='ResNet3dSlowOnly', depth=18, pretrained=None, in_channels=3, base_channels=4, num_stages=2,
        out_indices=(1, ), stage_blocks=(1, 1), conv1_kernel=(1, 3, 3), inflate=(0, 0),
        spatial_strides=(1, 2), temporal_strides=(1, 1), dilations=(1, 1)),
    cls_head=dict(type='I3DHead', in_channels=8, num_classes=2, dropout_ratio=0., average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor', mean=[128.] * 3, std=[64.] * 3, format_shape='NCTHW'))
train_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=4, frame_interval=3, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='RandomResizedCrop', area_range=(0.8, 1.0)),
    dict(type='Resize', scale=(32, 24), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='Albu', transforms=[
        dict(type='Affine', rotate=(-5, 5), p=0.5),
        dict(type='OneOf', p=0.5, transforms=[
            dict(type='GaussianBlur', blur_limit=(3, 5), p=1), dict(type='ImageCompression', p=1)])]),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')]
test_pipeline = [
    dict(type='SampleFrames', clip_len=4, frame_interval=3, num_clips=1, test_mode=True),
    dict(type='Resize', scale=(32, 24), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')]
training = dict(
    iterations=40, batch_size=4, optimizer=dict(type='AdamW', lr=1e-2), warmup=2, ema_momentum=0.3)
"""

#: Colours that the classes of videos have.
COLOURS = {"red": (220, 40, 40), "blue": (40, 40, 220), "none": (40, 200, 40)}


def make_videos(folder: Path) -> Path:
    """Videos that show one colour after the other, and a list of their spans."""
    from phar.media import write_video

    rows = ["file,start_s,end_s,label,split"]
    for number, split in enumerate(("train", "train", "val", "test")):
        names = list(COLOURS) if number % 2 else list(COLOURS)[::-1]
        pictures = []
        for place, name in enumerate(names):
            for each in range(20):
                picture = np.full((48, 64, 3), COLOURS[name], np.uint8)
                picture[:, (3 * each) % 60 : (3 * each) % 60 + 4] = 255
                pictures.append(((place * 20 + each) / 10, picture))
            rows.append(f"v{number}.mp4,{place * 2 + 0.2:.1f},{place * 2 + 1.8:.1f},{name},{split}")
        write_video(folder / f"v{number}.mp4", iter(pictures), 10, None, crf=18)
    path = folder / "clips.csv"
    path.write_text("\n".join(rows) + "\n")
    return path
