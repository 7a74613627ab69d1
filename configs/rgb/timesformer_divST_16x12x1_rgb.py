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
train_pipeline = [
    dict(type='SampleFrames', clip_len=16, frame_interval=12, num_clips=1),
    dict(type='OpenCVDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='RandomResizedCrop', area_range=(0.5, 1.0), aspect_ratio_range=(0.75, 1.33)),
    dict(type='Resize', scale=(224, 224), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(
        type='Albu',
        transforms=[
            dict(type='Affine', scale=(0.9, 1.1), rotate=(-10, 10), shear=(-5, 5), p=0.3),
            dict(type='ElasticTransform', alpha=60, sigma=8, p=0.1),
            dict(type='InvertImg', p=0.1),
            dict(type='GaussianBlur', blur_limit=(3, 7), p=0.1),
            dict(type='ImageCompression', quality_range=(30, 95), p=0.3),
        ]),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='OpenCVInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=12, num_clips=1, test_mode=True),
    dict(type='OpenCVDecode'),
    dict(type='Resize', scale=(-1, 224)),
    dict(type='ThreeCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]

# What `phar train` reads. Start from weights (--from): from nothing it learns little of a few thousand clips.
training = dict(
    epochs=15,
    batch_size=8,
    optimizer=dict(type='SGD', lr=0.005, momentum=0.9, weight_decay=1e-4, nesterov=True),
    paramwise=dict(
        custom_keys={
            '.backbone.cls_token': dict(decay_mult=0.0),
            '.backbone.pos_embed': dict(decay_mult=0.0),
            '.backbone.time_embed': dict(decay_mult=0.0)
        }),
    warmup=200,
    ema_momentum=0.001,
    clip_norm=40.0)
