"""Stands in for UniVideo's script, of which only the negative prompt is read."""


def main() -> list[str]:
    """Say what is not wanted."""
    negative_prompt = "blurred, overexposed"
    return [negative_prompt]
