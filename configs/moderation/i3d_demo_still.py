# The bundled net's control: the same layers see one picture of each window, so no motion. It is not shipped.
_base_ = './i3d_demo.py'

# There is no time left to look along.
model = dict(backbone=dict(conv1_kernel=(1, 5, 5), conv1_stride_t=1, pool1_stride_t=1, with_pool2=False))

test_pipeline = [
    dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='Letterbox', scale=(112, 64)),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]

training = dict(rhythms=False)
