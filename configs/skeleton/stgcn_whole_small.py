# ST-GCN with the whole body as its only node: a temporal convolution over positions, bones and motion of all joints side
# by side, in a frame of reference of the body's own, over the whole clip at even distances. For sets of some hundred
# clips that each show one action from begin to end. Left and right are told apart, so nothing is mirrored.
# Sources: Yan, Xiong, Lin, Spatial Temporal Graph Convolutional Networks, 2018; features and residual from Duan et al.,
# PYSKL: Towards Good Practices for Skeleton Action Recognition, 2022.
feats = ['j', 'b', 'jm']
# All but eyes and ears.
parts = [[0, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]]
graph = dict(num_node=len(parts), inward=[], center=0)
model = dict(
    type='RecognizerGCN',
    data_preprocessor=dict(
        type='ActionDataPreprocessor', blending=dict(type='MixupBlending', num_classes=27, alpha=0.3)),
    backbone=dict(
        type='STGCN',
        in_channels=3 * len(feats) * 13,
        base_channels=128,
        num_stages=3,
        inflate_stages=[3],
        down_stages=[2, 3],
        gcn_adaptive='init',
        gcn_with_res=True,
        tcn_type='unit_tcn',
        tcn_dropout=0.1,
        graph_cfg=dict(layout=graph, mode='spatial')),
    cls_head=dict(
        type='GCNHead', num_classes=27, in_channels=256, dropout=0.3, label_smooth_eps=0.1, average_clips='prob'))

train_pipeline = [
    dict(type='EvenFrames', num_frames=48),
    dict(type='UniformSampleFrames', clip_len=48),
    dict(type='PoseDecode'),
    dict(type='HideJoints', share=0.03),
    dict(type='BodyFrame'),
    dict(type='VaryPoses', rotate_deg=15., scale=(0.9, 1.1), squeeze=0.15, noise=0.005),
    dict(type='GenSkeFeat', dataset='coco', feats=feats),
    dict(type='BodyParts', parts=parts),
    dict(type='FormatGCNInput', num_person=1),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='EvenFrames', num_frames=48),
    dict(type='UniformSampleFrames', clip_len=48, num_clips=1, test_mode=True),
    dict(type='PoseDecode'),
    dict(type='BodyFrame'),
    dict(type='GenSkeFeat', dataset='coco', feats=feats),
    dict(type='BodyParts', parts=parts),
    dict(type='FormatGCNInput', num_person=1),
    dict(type='PackActionInputs'),
]
test_pipeline = val_pipeline

training = dict(
    epochs=50,
    batch_size=32,
    optimizer=dict(type='AdamW', lr=4e-3, weight_decay=0.05),
    paramwise=dict(norm_decay_mult=0., bias_decay_mult=0.),
    warmup=60,
    ema_momentum=0.02,
    clip_norm=5.0)
