"""JSON written and read: the C accelerator, strings, dicts."""

import json


def main():
    rows = [
        {
            "id": i, "name": f"row {i}", "tags": ["a", "b\u00e9", "c\"d"], "score": i * 0.37, "ok": i % 3 == 0,
            "none": None, "nested": {"x": [i, i + 1, {"deep": [True, False]}], "text": "line\nbreak \u20ac" * 3},
        }
        for i in range(200)
    ]
    size = 0
    for n in range(24):
        text = json.dumps(rows, indent=2 if n % 8 == 7 else None, sort_keys=n % 2 == 1)
        size += len(text)
        assert json.loads(text) == rows
    return size


main()
