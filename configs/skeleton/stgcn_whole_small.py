# ST-GCN with the whole body as its only node: a temporal convolution over positions, bones and motion of all joints side
# by side, in a frame of reference of the body's own, over the whole clip at even distances. For sets of some hundred
# clips that each show one action from begin to end. Left and right are told apart, so nothing is mirrored.
# Sources: Yan, Xiong, Lin, Spatial Temporal Graph Convolutional Networks, 2018; features and residual from Duan et al.,
# PYSKL: Towards Good Practices for Skeleton Action Recognition, 2022.
_base_ = './stgcn_small.py'

feats = ['j', 'b', 'jm']
# All but eyes and ears.
parts = [[0, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]]
graph = dict(num_node=len(parts), inward=[], center=0)
model = dict(
    backbone=dict(in_channels=3 * len(feats) * 13, base_channels=128, graph_cfg=dict(layout=graph)),
    cls_head=dict(in_channels=256))

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
