"""Where the time goes: samplers -> folded stacks with their facts -> flame graph, speedscope, picture.

`session.profile_case` is the whole story. A sampler is an `Engine` (engines/engine.py); everything behind it reads one form only,
`folded.Profile`. Two builds are sampled in turns (turns.py) and laid over one another (difference.py). Architecture invariant: this
package knows no kernel and no scenario; what it samples is handed in as two command lines (`Target`). It never times anything: a
sampled process is slowed by its sampler, so a figure from here is a share, not a time.
"""
