"""An editor in a process of its own: `Process` is the harness's side, `python -m sparkle_bench.editors.worker` the other."""
