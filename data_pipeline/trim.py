"""Trims at both ends of a clip (Appendix D, step 4)."""


def trim(
    start: float, end: float, trim_seconds: float, trim_longer_than: float
) -> tuple[float, float]:
    """Takes trim_seconds off both ends of a segment longer than trim_longer_than seconds.

    Returns:
        (start, end) in seconds.

    Raises:
        ValueError: trim_seconds is negative, or trims could leave nothing of a segment.
    """
    if trim_seconds and not 0 < 2 * trim_seconds < trim_longer_than:
        raise ValueError(
            "trim_seconds must be at least 0 and less than half of trim_longer_than. "
            f"Received: trim_seconds={trim_seconds}, trim_longer_than={trim_longer_than}"
        )
    if end - start > trim_longer_than:
        return start + trim_seconds, end - trim_seconds
    return start, end
