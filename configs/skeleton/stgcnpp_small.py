# ST-GCN++ for sets of some hundred clips: joints, bones and their motion in one net, in a frame of reference of the
# body's own, 48 channels to begin with. One person; left and right are told apart, so nothing is mirrored.
# Source: Duan et al., PYSKL: Towards Good Practices for Skeleton Action Recognition, 2022.
feats = ['j', 'b', 'jm']
model = dict(
    type='RecognizerGCN',
    backbone=dict(
        type='STGCN',
        in_channels=3 * len(feats),
        base_channels=48,
        num_stages=6,
        inflate_stages=[3, 5],
        down_stages=[2, 4],
        gcn_adaptive='init',
        gcn_with_res=True,
        tcn_type='mstcn',
        tcn_dropout=0.1,
        graph_cfg=dict(layout='coco', mode='spatial')),
    cls_head=dict(
        type='GCNHead', num_classes=27, in_channels=192, dropout=0.3, label_smooth_eps=0.1, average_clips='prob'))

train_pipeline = [
    dict(type='PartOfClip', share=0.7),
    dict(type='UniformSampleFrames', clip_len=48),
    dict(type='PoseDecode'),
    dict(type='VaryPoses', rotate_deg=15., scale=(0.9, 1.1), squeeze=0.15, noise=0.005),
    dict(type='HideJoints', share=0.03),
    dict(type='BodyFrame'),
    dict(type='GenSkeFeat', dataset='coco', feats=feats),
    dict(type='FormatGCNInput', num_person=1),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='UniformSampleFrames', clip_len=48, num_clips=1, test_mode=True),
    dict(type='PoseDecode'),
    dict(type='BodyFrame'),
    dict(type='GenSkeFeat', dataset='coco', feats=feats),
    dict(type='FormatGCNInput', num_person=1),
    dict(type='PackActionInputs'),
]
test_pipeline = val_pipeline

training = dict(
    epochs=60,
    batch_size=32,
    optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.05),
    paramwise=dict(norm_decay_mult=0., bias_decay_mult=0.),
    warmup=60,
    ema_momentum=0.01,
    clip_norm=5.0)
