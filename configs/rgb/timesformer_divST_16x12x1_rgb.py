# TimeSformer-B, divided space-time attention, 16 frames 12 apart, three crops: the size of the published
# 17-class model. Source: Bertasius et al., Is Space-Time Attention All You Need, 2021.
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='TimeSformer',
        num_frames=16,
        img_size=224,
        patch_size=16,
        embed_dims=768,
        in_channels=3,
        dropout_ratio=0.0,
        attention_type='divided_space_time',
        norm_cfg=dict(type='LN', eps=1e-6)),
    cls_head=dict(type='TimeSformerHead', num_classes=17, in_channels=768, average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        format_shape='NCTHW'))
test_pipeline = [
    dict(type='OpenCVInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=12, num_clips=1, test_mode=True),
    dict(type='OpenCVDecode'),
    dict(type='Resize', scale=(-1, 224)),
    dict(type='ThreeCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
