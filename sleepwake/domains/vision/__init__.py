"""Vision: a classifier that learns classes task by task and dreams of those it has learned.

Map: `settings` (what a recipe can say, and the table of classes; no torch), `domain` (builds all of it), `images` (the batch),
`streams` (data), `networks`, `training` and `descent` (the classifier and its loop), and a file for each role: `learners`, `replay`,
`generators` and `dreamers`, `challengers`, `judges`, `probes`; then `rehearsal`, `consolidation` and `pictures`.

Shape letters: N images, C channels, H height, W width, D pixels (C * H * W), R rows of a head, K classes of the stream,
G groups of a stacked network, B images a group, Z latent size.
"""
