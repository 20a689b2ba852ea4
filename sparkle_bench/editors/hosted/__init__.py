"""Editing models behind an API: the source is uploaded, a job submitted and looked after, its video fetched at once.

A paid job is never submitted twice. `jobs.py` keeps what was ordered on disk, before and after the submission; `http.py`
tells a request that was turned away from one that may have been taken; `desk.py` walks the road that all hosts share;
`runway.py`, `decart.py` and `dashscope.py` know one API each.
"""
