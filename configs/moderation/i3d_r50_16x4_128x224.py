# Safe or unsafe: I3D as MMAction2 has it, a ResNet-50 inflated from ImageNet (the original I3D inflates Inception).
# 16 frames, 4 apart at 30 Hz: 2.03 s from the first to the last. Frames of 16:9 fill 224x128 but for a line; others
# keep their shape, with black beside or above. Start from Kinetics: `phar models pull i3d-r50-kinetics400`, then
# `phar train moderation --from`. Source: Carreira and Zisserman, Quo Vadis, Action Recognition, 2017.
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='ResNet3d',
        pretrained=None,
        depth=50,
        conv1_kernel=(5, 7, 7),
        conv1_stride_t=2,
        pool1_stride_t=2,
        conv_cfg=dict(type='Conv3d'),
        norm_eval=False,
        inflate=((1, 1, 1), (1, 0, 1, 0), (1, 0, 1, 0, 1, 0), (0, 1, 0)),
        zero_init_residual=False),
    cls_head=dict(
        type='I3DHead',
        num_classes=2,
        in_channels=2048,
        spatial_type='avg',
        dropout_ratio=0.5,
        init_std=0.01,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCTHW'))

train_pipeline = [
    dict(type='Letterbox', scale=(224, 128)),
    dict(type='JpegCompression', quality=(25, 95), share=0.5),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    # A window of 2 s at 30 Hz is one frame shorter than the span: its last frame is shown once more.
    dict(
        type='SampleFrames',
        clip_len=16,
        frame_interval=4,
        num_clips=1,
        out_of_bound_opt='repeat_last',
        test_mode=True),
    dict(type='Letterbox', scale=(224, 128)),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]

# What `phar train` reads; see phar.openmmlab.training.
training = dict(
    iterations=20000,
    batch_size=16,
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4),
    warmup=500,
    ema_momentum=0.002,
    clip_norm=40.0)
