# TimeSformer with divided space-time attention in reduced width: 8 frames spread over the window, 96x96.
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='TimeSformer',
        num_frames=8,
        img_size=96,
        patch_size=16,
        embed_dims=144,
        num_heads=3,
        num_transformer_layers=4,
        in_channels=3,
        dropout_ratio=0.,
        attention_type='divided_space_time',
        norm_cfg=dict(type='LN', eps=1e-6)),
    cls_head=dict(type='TimeSformerHead', num_classes=13, in_channels=144, average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[127.5, 127.5, 127.5],
        std=[63.75, 63.75, 63.75],
        format_shape='NCTHW'))

train_pipeline = [
    dict(type='Resize', scale=(96, 96), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('img_shape', 'keypoint', 'keypoint_score')),
]
test_pipeline = [
    dict(type='UniformSample', clip_len=8, num_clips=1, test_mode=True),
    dict(type='Resize', scale=(96, 96), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]

# What `phar train` reads; see phar.openmmlab.training.
training = dict(
    iterations=2200,
    batch_size=8,
    optimizer=dict(type='AdamW', lr=8e-4, weight_decay=0.05, betas=(0.9, 0.98)),
    paramwise=dict(norm_decay_mult=0., bias_decay_mult=0.),
    warmup=150,
    ema_momentum=0.003,
    clip_norm=1.0,
    # Every patch also says which joints of a person lie in it; that head is dropped on export.
    joints_weight=1.0)
