# The first part of the bundled TimeSformer's training: single frames, so that a second of training shows as many
# scenes as it can. timesformer_demo.py goes on from these weights with clips.
_base_ = './timesformer_demo.py'

model = dict(backbone=dict(num_frames=1, stem=dict(norm_eval=False)))

training = dict(
    iterations=1300,
    batch_size=32,
    optimizer=dict(type='AdamW', lr=8e-4, weight_decay=0.05),
    warmup=60,
    ema_momentum=0.005)
