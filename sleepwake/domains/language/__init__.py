"""Language: a small causal language model that writes its own problems and answers them.

Map: `families` hold the skills (ground truth, read by day and in audits) and their `relations` (metamorphic, for
judges); `problems` the batch; `tokenizer`, `generation` and `training` what every model here does; `learners`,
`dreamers`, `challengers` (with `practice`), `judges`, `memory` and `probes` the roles; `rehearsal`, `grpo` and
`consolidation` the nights' methods; `domain` builds it all. To add a family, judge or method: its class in its file,
its settings class and its line of `CLASSES` in `settings`.
"""
