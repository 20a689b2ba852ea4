"""Small programs that take the flags of other projects' programs and behave as they do; run, never imported."""
