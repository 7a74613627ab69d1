# PoseC3D (SlowOnly, 18 layers) in reduced width: 48 frames of joint heat maps, 28x28. Frames are a fixed time
# apart, for tempo tells some actions apart and windows may be short.
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='ResNet3dSlowOnly',
        depth=18,
        pretrained=None,
        in_channels=17,
        base_channels=16,
        num_stages=3,
        out_indices=(2, ),
        stage_blocks=(1, 1, 1),
        conv1_kernel=(1, 5, 5),
        conv1_stride_t=1,
        conv1_stride_s=2,
        pool1_stride_s=1,
        inflate=(1, 1, 1),
        spatial_strides=(1, 2, 2),
        temporal_strides=(1, 2, 1),
        dilations=(1, 1, 1)),
    cls_head=dict(
        type='I3DHead', in_channels=64, num_classes=6, dropout_ratio=0.0, average_clips='prob'))

left_kp = [1, 3, 5, 7, 9, 11, 13, 15]
right_kp = [2, 4, 6, 8, 10, 12, 14, 16]
train_pipeline = [
    dict(type='PoseCompact', hw_ratio=1., allow_imgpad=True),
    dict(type='Resize', scale=(-1, 32)),
    dict(type='RandomResizedCrop', area_range=(0.8, 1.0), aspect_ratio_range=(0.85, 1.18)),
    dict(type='Resize', scale=(28, 28), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5, left_kp=left_kp, right_kp=right_kp),
    dict(type='GeneratePoseTarget', sigma=0.6, use_score=True, with_kp=True, with_limb=False),
    dict(type='FormatShape', input_format='NCTHW_Heatmap'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='SampleFrames', clip_len=48, frame_interval=4, num_clips=1, test_mode=True),
    dict(type='PoseDecode'),
    dict(type='PoseCompact', hw_ratio=1., allow_imgpad=True),
    dict(type='Resize', scale=(28, 28), keep_ratio=False),
    dict(type='GeneratePoseTarget', sigma=0.6, use_score=True, with_kp=True, with_limb=False),
    dict(type='FormatShape', input_format='NCTHW_Heatmap'),
    dict(type='PackActionInputs'),
]

training = dict(
    iterations=900,
    observed_clips=1800,
    batch_size=16,
    optimizer=dict(type='AdamW', lr=1.5e-3, weight_decay=0.05),
    paramwise=dict(norm_decay_mult=0., bias_decay_mult=0.),
    warmup=100,
    ema_momentum=0.01,
    clip_norm=10.0,
    channels_last=True)
