# The bundled moderation net: the same kind of net, 18 layers of reduced width, on frames of half the size. Its first
# layer looks along 7 of the frames, 0.93 s, and begins with the rhythms that fit into these.
_base_ = './i3d_r50_16x4_128x224.py'

model = dict(
    backbone=dict(
        depth=18,
        base_channels=21,
        conv1_kernel=(7, 5, 5),
        # The first block of each stage looks along time.
        inflate=((1, 0), (1, 0), (1, 0), (1, 0)),
        inflate_style='3x3x3'),
    cls_head=dict(in_channels=168, dropout_ratio=0.2))

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
    iterations=900,
    batch_size=16,
    optimizer=dict(_delete_=True, type='AdamW', lr=2e-3, weight_decay=0.02),
    warmup=60,
    ema_momentum=0.004,
    clip_norm=10.0,
    drawn_clips=2500,
    rhythms=True)
