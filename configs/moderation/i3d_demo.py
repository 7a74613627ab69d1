# The bundled moderation net: the same shape of net, 18 layers of reduced width, on frames of half the size.
_base_ = './i3d_r50_16x4_128x224.py'

model = dict(
    backbone=dict(
        depth=18,
        base_channels=24,
        # The first block of each stage looks along time.
        inflate=((1, 0), (1, 0), (1, 0), (1, 0)),
        inflate_style='3x3x3'),
    cls_head=dict(in_channels=192))

train_pipeline = [
    dict(type='Letterbox', scale=(112, 64)),
    dict(type='JpegCompression', quality=(25, 95), share=0.5),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(
        type='SampleFrames',
        clip_len=16,
        frame_interval=4,
        num_clips=1,
        out_of_bound_opt='repeat_last',
        test_mode=True),
    dict(type='Letterbox', scale=(112, 64)),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]

training = dict(
    iterations=2000,
    batch_size=16,
    optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=1e-4),
    warmup=100,
    ema_momentum=0.002,
    clip_norm=40.0)
