# PoseC3D for sets of some hundred clips: 32 frames of joint heat maps of 40x40, a SlowOnly of three stages and reduced
# width. Left and right are told apart, so nothing is mirrored.
# Source: Duan et al., Revisiting Skeleton-based Action Recognition, 2022.
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='ResNet3dSlowOnly',
        depth=18,
        pretrained=None,
        in_channels=17,
        base_channels=24,
        num_stages=3,
        out_indices=(2, ),
        stage_blocks=(1, 2, 2),
        conv1_kernel=(1, 5, 5),
        conv1_stride_t=1,
        conv1_stride_s=2,
        pool1_stride_s=1,
        inflate=(1, 1, 1),
        spatial_strides=(1, 2, 2),
        temporal_strides=(1, 2, 1),
        dilations=(1, 1, 1)),
    cls_head=dict(
        type='I3DHead',
        in_channels=96,
        num_classes=27,
        dropout_ratio=0.3,
        label_smooth_eps=0.1,
        average_clips='prob'))

train_pipeline = [
    dict(type='PartOfClip', share=0.7),
    dict(type='UniformSampleFrames', clip_len=32),
    dict(type='PoseDecode'),
    dict(type='VaryPoses', rotate_deg=15., scale=(0.9, 1.1), squeeze=0.15, noise=0.005),
    dict(type='PoseCompact', hw_ratio=1., allow_imgpad=True),
    dict(type='Resize', scale=(-1, 44)),
    dict(type='RandomResizedCrop', area_range=(0.7, 1.0), aspect_ratio_range=(0.85, 1.18)),
    dict(type='Resize', scale=(40, 40), keep_ratio=False),
    dict(type='HideJoints', share=0.1),
    dict(type='GeneratePoseTarget', sigma=0.6, use_score=True, with_kp=True, with_limb=False),
    dict(type='FormatShape', input_format='NCTHW_Heatmap'),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='UniformSampleFrames', clip_len=32, num_clips=1, test_mode=True),
    dict(type='PoseDecode'),
    dict(type='PoseCompact', hw_ratio=1., allow_imgpad=True),
    dict(type='Resize', scale=(40, 40), keep_ratio=False),
    dict(type='GeneratePoseTarget', sigma=0.6, use_score=True, with_kp=True, with_limb=False),
    dict(type='FormatShape', input_format='NCTHW_Heatmap'),
    dict(type='PackActionInputs'),
]
test_pipeline = val_pipeline

training = dict(
    epochs=100,
    batch_size=16,
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05),
    paramwise=dict(norm_decay_mult=0., bias_decay_mult=0.),
    warmup=100,
    ema_momentum=0.01,
    clip_norm=10.0,
    channels_last=True)
