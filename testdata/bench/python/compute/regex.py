"""Patterns over text: the matcher, groups, substitution."""

import re

WORDS = "perl python pearls Pyramid ruby rubber 2024-11-22 user@example.org http://example.com/a?b=c 3.14159 -42 (x, y)".split()
PATTERNS = [
    r"p[a-z]+l", r"(?i)^(py|ru)\w*", r"\b\d{4}-\d\d-\d\d\b", r"[\w.]+@[\w.]+\.\w+", r"https?://([^/\s]+)(/\S*)?",
    r"-?\d+(?:\.\d+)?", r"(\w)(\w)\w*\2", r"(?<=\()\w|\w(?=\))", r"(?:a|b|c|d|e|f)+r", r"[^aeiou\s]{3,}",
]


def main():
    text = " ".join(WORDS[(i * 7) % len(WORDS)] + str(i % 13) for i in range(12_000))
    counts = []
    for source in PATTERNS:
        pattern = re.compile(source)
        counts.append(sum(1 for _ in pattern.finditer(text)))
    swapped = re.sub(r"(\w+)@(\w+)", r"\2@\1", text)
    parts = re.split(r"[\s,;]+", swapped)
    assert len(parts) > 12_000 and "example@user" in swapped
    return counts + [len(parts)]


main()
