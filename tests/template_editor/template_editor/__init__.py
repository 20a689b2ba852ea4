"""An editing model for sparkle-bench."""
