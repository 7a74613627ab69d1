# The same net on the middle crop alone: a third of the work.
_base_ = './timesformer_divST_16x12x1_rgb.py'

test_pipeline = [
    dict(type='OpenCVInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=12, num_clips=1, test_mode=True),
    dict(type='OpenCVDecode'),
    dict(type='Resize', scale=(-1, 224)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
