# The first half of the skeleton net's training: true joints, disturbed at random. From joints that were found in
# pictures alone it learns postures and never tempo.
_base_ = ['posec3d_demo.py']

training = dict(
    _delete_=True,
    iterations=2000,
    batch_size=16,
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05),
    paramwise=dict(norm_decay_mult=0., bias_decay_mult=0.),
    warmup=100,
    ema_momentum=0.01,
    clip_norm=10.0,
    channels_last=True)
