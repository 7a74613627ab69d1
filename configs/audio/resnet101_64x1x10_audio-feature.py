# ResNet-101 on log-mel spectrograms, ten views of 64 rows padded to 128: the size of the published 4-class
# model. Source: Xiao et al., Audiovisual SlowFast Networks for Video Recognition, 2020.
model = dict(
    type='RecognizerAudio',
    backbone=dict(type='ResNetAudio', depth=101, pretrained=None, in_channels=1, norm_eval=False),
    cls_head=dict(
        type='TSNAudioHead',
        num_classes=4,
        in_channels=1024,
        dropout_ratio=0.5,
        init_std=0.01,
        average_clips='prob'))
train_pipeline = [
    dict(type='LoadAudioFeature'),
    dict(type='SampleFrames', clip_len=64, frame_interval=1, num_clips=1),
    dict(type='AudioFeatureSelector', fixed_length=128),
    dict(type='FormatAudioShape', input_format='NCTF'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='LoadAudioFeature'),
    dict(type='SampleFrames', clip_len=64, frame_interval=1, num_clips=10, test_mode=True),
    dict(type='AudioFeatureSelector', fixed_length=128),
    dict(type='FormatAudioShape', input_format='NCTF'),
    dict(type='PackActionInputs'),
]

# What `phar train` reads.
training = dict(
    epochs=40,
    batch_size=32,
    optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=1e-4),
    warmup=200,
    ema_momentum=0.002,
    clip_norm=40.0)
