# TimeSformer with divided space-time attention in reduced width: 8 frames spread over the window, 192x128. Patches
# are embedded by the bundled pose net's backbone, which stays as it is.
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='StemTimeSformer',
        stem=dict(
            type='CSPNeXt',
            arch='P5',
            arch_ovewrite=[
                [64, 128, 3, True, False],
                [128, 256, 6, True, False],
                [256, 512, 6, True, False],
            ],
            expand_ratio=0.5,
            deepen_factor=0.167,
            widen_factor=0.25,
            use_depthwise=True,
            out_indices=(3, ),
            frozen_stages=3,
            channel_attention=True,
            norm_cfg=dict(type='BN'),
            norm_eval=True,
            act_cfg=dict(type='SiLU', inplace=True)),
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
    # Stem features of this many clips are computed once; training looks at each about twelve times.
    clips=6000,
    iterations=4500,
    batch_size=16,
    optimizer=dict(type='AdamW', lr=6e-4, weight_decay=0.05),
    paramwise=dict(norm_decay_mult=0., bias_decay_mult=0.),
    warmup=200,
    ema_momentum=0.002,
    clip_norm=2.0)
