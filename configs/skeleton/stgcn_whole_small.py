# ST-GCN with the whole body as its only node: a temporal convolution over positions, bones and motion of all joints side
# by side, over the whole clip at even distances. Where a body stands and how large it is its first frames tell; each frame
# knows where in the clip it is; poses between those of two clips with one label, their like moments brought together, and
# joints that stand off their places make up for how few persons there are. For sets of some hundred clips that each show
# one action from begin to end. Left and right are told apart, so nothing is mirrored.
# Sources: Yan, Xiong, Lin, Spatial Temporal Graph Convolutional Networks, 2018; features and residual from Duan et al.,
# PYSKL: Towards Good Practices for Skeleton Action Recognition, 2022.
_base_ = './stgcn_small.py'

feats = ['j', 'b', 'jm']
# All but eyes and ears.
parts = [[0, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]]
# The node is its own neighbour, so that there is one matrix; of the three of mode `spatial` two would hold nothing but a
# number each, for three times the weights.
graph = dict(num_node=len(parts), inward=[(0, 0)], center=0)
model = dict(
    data_preprocessor=dict(blending=dict(alpha=1.0)),
    backbone=dict(in_channels=2 * len(feats) * 13 + 2, base_channels=128, graph_cfg=dict(layout=graph, mode='binary_adj')),
    cls_head=dict(in_channels=256))

even_frames = dict(type='EvenFrames', num_frames=48)
body_frame = dict(type='BodyFrame', first_frames=4)
aligned = [
    even_frames,
    dict(type='UniformSampleFrames', clip_len=48),
    dict(type='PoseDecode'),
    body_frame,
]
packed = [
    dict(type='GenSkeFeat', dataset='coco', feats=feats),
    dict(type='WithoutScores'),
    dict(type='BodyParts', parts=parts),
    dict(type='ClipPosition'),
    dict(type='FormatGCNInput', num_person=1),
    dict(type='PackActionInputs'),
]
train_pipeline = [
    *aligned,
    dict(type='BetweenTwo', probability=0.5, before=aligned),
    dict(type='HideJoints', share=0.03),
    dict(type='VaryPoses', rotate_deg=15., scale=(0.9, 1.1), squeeze=0.15, noise=0.005, offset=0.012),
    *packed,
]
val_pipeline = [
    even_frames,
    dict(type='UniformSampleFrames', clip_len=48, num_clips=1, test_mode=True),
    dict(type='PoseDecode'),
    body_frame,
    *packed,
]
test_pipeline = val_pipeline

training = dict(epochs=90)
