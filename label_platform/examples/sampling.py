"""Samples that every machine and every rebuild draws alike."""

_BITS = 32


def sampled_sql(key: str, rate: float, purpose: str) -> str:
    """An SQL condition that keeps a share of rows, by md5 of a key.

    The digits are compared as text, which any engine does in the same way.

    Args:
        key: an SQL expression that gives text.
        rate: the share kept, above 0 and up to 1.
        purpose: makes samples for different purposes independent of each other.
    """
    if rate >= 1:
        return "true"
    threshold = f"{round(rate * 2**_BITS):08x}"
    return f"substr(md5(concat('{purpose}|', {key})), 1, {_BITS // 4}) < '{threshold}'"
