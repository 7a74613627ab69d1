# RTMDet-tiny on smaller pictures, padded no further than its strides need: a fourth of the work of 640x640 on
# 16:9 video. Its weights are those of rtmdet_tiny_8xb32-300e_coco.
_base_ = './rtmdet_tiny_8xb32-300e_coco.py'

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResize', scale=(416, 416), ratio_range=(0.6, 1.6), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(416, 416), allow_negative_crop=True),
    dict(type='YOLOXHSVRandomAug'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='Pad', size=(416, 416), pad_val=dict(img=(114, 114, 114))),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(416, 416), keep_ratio=True),
    dict(type='Pad', size_divisor=32, pad_val=dict(img=(114, 114, 114))),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
