"""Numbers as people read them: rounded, with the units a reader expects."""

NOT_KNOWN = "–"


def percent(share: float | None) -> str:
    """``0.964`` → ``96.4%``. Never rounds to 100% what is not."""
    if share is None:
        return NOT_KNOWN
    if share != 1 and round(share, 3) == 1:
        return f"{share:.2%}"
    return f"{share:.1%}"


def points(difference: float) -> str:
    """A difference of shares in percentage points: ``-0.012`` → ``−1.2``."""
    tenths = round(difference * 1000)
    sign = "+" if tenths > 0 else "−" if tenths < 0 else ""
    return f"{sign}{abs(tenths) / 10:.1f}"


def signed(difference: float) -> str:
    """A difference in ρ: ``-0.0121`` → ``−0.012``."""
    shown = round(difference, 3)
    return f"{'+' if shown > 0 else '−' if shown < 0 else ''}{abs(shown):.3f}"


def milliseconds(ms: float | None) -> str:
    """Three digits that count: ``0.412 ms``, ``4.12 ms``, ``41.2 ms``, ``412 ms``."""
    if ms is None:
        return NOT_KNOWN
    digits = 0 if ms >= 100 else 1 if ms >= 10 else 2
    if ms < 0.1:
        digits = 3
    return f"{ms:,.{digits}f} ms"


def size(n_bytes: float | None) -> str:
    """Powers of 1000, as disks and downloads count: ``1.2 MB``."""
    if n_bytes is None:
        return NOT_KNOWN
    value, unit = float(n_bytes), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if value >= 99.95 or unit == "B" else f"{value:.1f} {unit}"


def count(number: float | None) -> str:
    """``1234.5`` → ``1,234``; below ten one digit more."""
    if number is None:
        return NOT_KNOWN
    return f"{number:,.1f}" if number < 10 and number != int(number) else f"{number:,.0f}"


def times(ratio: float | None) -> str:
    """``4.23`` → ``4.2×``."""
    if ratio is None:
        return NOT_KNOWN
    return f"{ratio:,.0f}×" if ratio >= 100 else f"{ratio:.1f}×" if ratio >= 1 else f"{ratio:.2f}×"


def decimal(number: float | None) -> str:
    """Three places."""
    return NOT_KNOWN if number is None else f"{number:.3f}"


def dollars(usd: float | None) -> str:
    """Three digits that count: ``$0.0123``, ``$1.53``, ``$41.2``."""
    if usd is None:
        return NOT_KNOWN
    if usd >= 100:
        return f"${usd:,.0f}"
    return f"${usd:.3g}" if usd < 1 else f"${usd:.{2 if usd < 10 else 1}f}"
