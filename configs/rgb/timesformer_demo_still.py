# The bundled TimeSformer on single pictures: each stands for a whole clip in which nothing moves. It cannot tell
# all actions apart so, but it tells whether there is one, for `phar-demo --skim`.
_base_ = './timesformer_demo.py'

test_pipeline = [
    dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='Resize', scale=(192, 128), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
