# ResNetAudio (50 layers, the least it knows) in reduced width: four 2 s views of an 80-band log-mel spectrogram.
model = dict(
    type='RecognizerAudio',
    backbone=dict(
        type='ResNetAudio',
        depth=50,
        pretrained=None,
        in_channels=1,
        base_channels=16,
        conv1_stride=2,
        strides=(2, 2, 2, 2),
        norm_eval=False),
    cls_head=dict(
        type='TSNAudioHead', num_classes=4, in_channels=512, dropout_ratio=0.2, average_clips='prob'))

train_pipeline = [
    dict(type='SampleFrames', clip_len=128, frame_interval=1, num_clips=1, out_of_bound_opt='repeat_last'),
    dict(type='AudioFeatureSelector', fixed_length=128),
    dict(type='FormatAudioShape', input_format='NCTF'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='LoadAudioFeature'),
    dict(type='SampleFrames', clip_len=128, frame_interval=1, num_clips=4, out_of_bound_opt='repeat_last', test_mode=True),
    dict(type='AudioFeatureSelector', fixed_length=128),
    dict(type='FormatAudioShape', input_format='NCTF'),
    dict(type='PackActionInputs'),
]

training = dict(
    iterations=300,
    batch_size=16,
    optimizer=dict(type='AdamW', lr=1.5e-3, weight_decay=0.05),
    paramwise=dict(norm_decay_mult=0., bias_decay_mult=0.),
    warmup=50,
    ema_momentum=0.01,
    clip_norm=10.0)
