# RTMPose in reduced width: COCO's 17 joints in crops of 112x144.
codec = dict(
    type='SimCCLabel',
    input_size=(112, 144),
    sigma=(3.6, 4.1),
    simcc_split_ratio=2.0,
    normalize=False,
    use_dark=False)
model = dict(
    type='TopdownPoseEstimator',
    data_preprocessor=dict(
        type='PoseDataPreprocessor',
        mean=[103.53, 116.28, 123.675],
        std=[57.375, 57.12, 58.395],
        bgr_to_rgb=False),
    backbone=dict(
        _scope_='mmdet',
        type='CSPNeXt',
        arch='P5',
        expand_ratio=0.5,
        # At a stride of 16 a person is still 7x9 cells. Dense layers cost a CPU no more than depthwise ones and see
        # arms in front of a body far better.
        arch_ovewrite=[
            [64, 128, 3, True, False],
            [128, 256, 6, True, False],
            [256, 512, 6, True, False],
        ],
        deepen_factor=0.167,
        widen_factor=0.25,
        out_indices=(3, ),
        channel_attention=True,
        norm_cfg=dict(type='BN'),
        act_cfg=dict(type='SiLU')),
    head=dict(
        type='RTMCCHead',
        in_channels=128,
        out_channels=17,
        input_size=(112, 144),
        in_featuremap_size=(7, 9),
        simcc_split_ratio=2.0,
        final_layer_kernel_size=7,
        gau_cfg=dict(
            hidden_dims=128,
            s=64,
            expansion_factor=2,
            dropout_rate=0.,
            drop_path=0.,
            act_fn='SiLU',
            use_rel_bias=False,
            pos_enc=False),
        loss=dict(type='KLDiscretLoss', use_target_weight=True, beta=10., label_softmax=True),
        decoder=codec),
    test_cfg=dict(flip_test=False))

train_pipeline = [
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomBBoxTransform', shift_factor=0.08, scale_factor=(0.85, 1.2), rotate_factor=15, rotate_prob=0.3),
    dict(type='TopdownAffine', input_size=(112, 144)),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs'),
]
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='TopdownAffine', input_size=(112, 144)),
    dict(type='PackPoseInputs'),
]
test_pipeline = val_pipeline

training = dict(
    iterations=2600,
    batch_size=32,
    optimizer=dict(type='AdamW', lr=1.5e-3, weight_decay=0.01),
    paramwise=dict(norm_decay_mult=0., bias_decay_mult=0., bypass_duplicate=True),
    warmup=100,
    ema_momentum=0.004,
    clip_norm=35.0)
