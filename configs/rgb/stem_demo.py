# What the bundled TimeSformer embeds its patches with: the first stages of a narrow ResNet-18. It learns joints,
# places and postures in single pictures of 192x128; its heads are dropped afterwards.
model = dict(
    type='StemLesson',
    backbone=dict(
        type='ResNet',
        depth=18,
        base_channels=32,
        stem_channels=32,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(2, ),
        norm_cfg=dict(type='BN'),
        norm_eval=False,
        style='pytorch'),
    channels=128,
    num_places=4,
    num_classes=9,
    data_preprocessor=dict(
        type='ImgDataPreprocessor', mean=[103.53, 116.28, 123.675], std=[57.375, 57.12, 58.395]))

# What `phar train` reads; see phar.openmmlab.training.
training = dict(
    iterations=1800,
    batch_size=64,
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.02),
    warmup=110,
    ema_momentum=0.004,
    clip_norm=10.0)
