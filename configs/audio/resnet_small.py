# ResNetAudio (50 layers, the least it knows) in reduced width for short sounds: 64 rows of an 80-band log-mel
# spectrogram, a second, padded with silence.
model = dict(
    type='RecognizerAudio',
    backbone=dict(
        type='ResNetAudio',
        depth=50,
        pretrained=None,
        in_channels=1,
        base_channels=16,
        conv1_stride=1,
        strides=(2, 2, 2, 2),
        norm_eval=False),
    cls_head=dict(
        type='TSNAudioHead',
        num_classes=10,
        in_channels=512,
        dropout_ratio=0.3,
        label_smooth_eps=0.1,
        average_clips='prob'))

train_pipeline = [
    dict(type='VarySound', speed=(0.85, 1.18), bands=4, level=0.08, lead=12, masked_rows=4, masked_bands=8),
    dict(type='SampleFrames', clip_len=64, frame_interval=1, num_clips=1, out_of_bound_opt='repeat_last'),
    dict(type='AudioFeatureSelector', fixed_length=64),
    dict(type='FormatAudioShape', input_format='NCTF'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='LoadAudioFeature'),
    dict(type='SampleFrames', clip_len=64, frame_interval=1, num_clips=1, out_of_bound_opt='repeat_last', test_mode=True),
    dict(type='AudioFeatureSelector', fixed_length=64),
    dict(type='FormatAudioShape', input_format='NCTF'),
    dict(type='PackActionInputs'),
]

training = dict(
    epochs=15,
    batch_size=32,
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05),
    paramwise=dict(norm_decay_mult=0., bias_decay_mult=0.),
    warmup=100,
    ema_momentum=0.01,
    clip_norm=5.0)
