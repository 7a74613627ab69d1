# ST-GCN++ in reduced width over 48 frames of joints, bones and their motion. Frames are a fixed time apart, for tempo
# tells some actions apart and windows may be short.
# Source: Duan et al., PYSKL: Towards Good Practices for Skeleton Action Recognition, 2022.
feats = ['j', 'b', 'jm']
model = dict(
    type='RecognizerGCN',
    backbone=dict(
        type='STGCN',
        in_channels=3 * len(feats),
        base_channels=16,
        num_stages=4,
        inflate_stages=[3],
        down_stages=[2, 3],
        gcn_adaptive='init',
        gcn_with_res=True,
        tcn_type='mstcn',
        tcn_dropout=0.0,
        graph_cfg=dict(layout='coco', mode='spatial')),
    cls_head=dict(type='GCNHead', num_classes=6, in_channels=32, dropout=0.1, average_clips='prob'))

left_kp = [1, 3, 5, 7, 9, 11, 13, 15]
right_kp = [2, 4, 6, 8, 10, 12, 14, 16]
train_pipeline = [
    dict(type='VaryPoses', rotate_deg=5., scale=(0.9, 1.1), squeeze=0.15, noise=0.),
    dict(type='Flip', flip_ratio=0.5, left_kp=left_kp, right_kp=right_kp),
    dict(type='BodyFrame'),
    dict(type='GenSkeFeat', dataset='coco', feats=feats),
    dict(type='FormatGCNInput', num_person=2),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='SampleFrames', clip_len=48, frame_interval=4, num_clips=1, test_mode=True),
    dict(type='PoseDecode'),
    dict(type='BodyFrame'),
    dict(type='GenSkeFeat', dataset='coco', feats=feats),
    dict(type='FormatGCNInput', num_person=2),
    dict(type='PackActionInputs'),
]

training = dict(
    iterations=900,
    observed_clips=1800,
    batch_size=32,
    optimizer=dict(type='AdamW', lr=4e-3, weight_decay=0.05),
    paramwise=dict(norm_decay_mult=0., bias_decay_mult=0.),
    warmup=100,
    ema_momentum=0.01,
    clip_norm=5.0)
