# TimeSformer with divided space-time attention in reduced width: 8 frames spread over the window, 192x128. Patches
# are embedded by a stem that has learnt joints, places and postures (stem_demo.py) and stays as it is.
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='StemTimeSformer',
        stem=dict(
            type='ResNet',
            depth=18,
            base_channels=32,
            stem_channels=32,
            num_stages=3,
            strides=(1, 2, 2),
            dilations=(1, 1, 1),
            out_indices=(2, ),
            frozen_stages=3,
            norm_cfg=dict(type='BN'),
            norm_eval=True,
            style='pytorch'),
        stem_channels=128,
        num_frames=8,
        img_size=(128, 192),
        patch_size=32,
        embed_dims=160,
        num_heads=5,
        num_transformer_layers=3,
        in_channels=3,
        dropout_ratio=0.1,
        attention_type='divided_space_time',
        norm_cfg=dict(type='LN', eps=1e-6)),
    cls_head=dict(type='TimeSformerHead', num_classes=13, in_channels=160, average_clips='prob'),
    # Frames are RGB and the stem was trained on BGR: the flag exchanges the two, means follow the stem's order.
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[103.53, 116.28, 123.675],
        std=[57.375, 57.12, 58.395],
        to_rgb=True,
        format_shape='NCTHW'))

train_pipeline = [
    dict(type='Resize', scale=(192, 128), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='UniformSample', clip_len=8, num_clips=1, test_mode=True),
    dict(type='Resize', scale=(192, 128), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]

# What `phar train` reads; see phar.openmmlab.training.
training = dict(
    # Stem features of this many clips are computed once; training looks at each about twice.
    clips=12000,
    iterations=1600,
    batch_size=16,
    optimizer=dict(type='AdamW', lr=6e-4, weight_decay=0.05),
    paramwise=dict(norm_decay_mult=0., bias_decay_mult=0.),
    warmup=100,
    ema_momentum=0.002,
    clip_norm=2.0)
