"""DataFrames and Series as HTML and as records.

application/json is {"columns": [{"name", "type"}], "rows": number of all rows,
"truncated": whether there are more rows than records, "records": [{column:
value}]}. An index that is not just the row number comes as the first columns.
Names are made distinct, as records are objects. Missing values and infinities
are null, dates ISO 8601, what JSON has no form for its str.
"""

import pandas

from .display import dumps, finite, register

MAX_ROWS = 1000
MAX_COLUMNS = 200
MAX_BYTES = 256 << 10  # of the records, encoded
MAX_SHOWN = 512 << 10  # characters of the HTML; pandas' own options bound it by far


def bundle(value):
    """The bundle of a DataFrame or Series, without text/plain."""
    frame = value if isinstance(value, pandas.DataFrame) else value.to_frame(value.name if value.name is not None else "value")
    data = {}
    html = frame._repr_html_()
    if html is not None and len(html) <= MAX_SHOWN:
        data["text/html"] = html
    table = records(frame)
    if table is not None:
        data["application/json"] = table
    return data


def records(frame):
    """The table as JSON text."""
    rows = len(frame)
    part = frame.iloc[:MAX_ROWS, :MAX_COLUMNS]
    index = part.index
    plain_index = isinstance(index, pandas.RangeIndex) and index.start == 0 and index.step == 1 and index.name is None
    types = [str(t) for t in part.dtypes]
    names = [name_of(column) for column in part.columns]
    if not plain_index:
        levels = [index.get_level_values(i) for i in range(index.nlevels)]
        types = [str(level.dtype) for level in levels] + types
        names = [name_of(n) if n is not None else ("index" if len(levels) == 1 else f"level_{i}")
                 for i, n in enumerate(index.names)] + names
        part = pandas.concat([pandas.DataFrame({i: level for i, level in enumerate(levels)}),
                              part.set_axis(range(len(levels), len(names)), axis=1).reset_index(drop=True)], axis=1)
    names = distinct(names)
    part = part.set_axis(names, axis=1)
    head = dumps({
        "columns": [{"name": name, "type": t} for name, t in zip(names, types)],
        "rows": rows,
    })
    body = encoded(part)
    kept = len(part)
    while len(body) > MAX_BYTES and kept > 0:
        kept = min(kept - 1, int(kept * MAX_BYTES / len(body) * 0.9))
        body = encoded(part.iloc[:kept])
    cut = "true" if kept < rows or frame.shape[1] > MAX_COLUMNS else "false"
    return f'{head[:-1]},"truncated":{cut},"records":{body}}}'


def encoded(frame):
    """The rows of a frame as a JSON array of objects."""
    if len(frame) == 0:
        return "[]"
    if all(t.kind in "biuf" for t in frame.dtypes):
        return frame.to_json(orient="records", double_precision=15)
    columns = [finite(cells(frame[name])) for name in frame.columns]
    names = list(frame.columns)
    return dumps([dict(zip(names, row)) for row in zip(*columns)])


def cells(column):
    """A column's values as JSON knows them."""
    kind = column.dtype.kind
    if kind in "biu" and not pandas.api.types.is_extension_array_dtype(column.dtype):
        return column.tolist()
    return [None if missing else value for value, missing in zip(column.tolist(), column.isna().tolist())]


def name_of(label):
    """A column's label as a name: levels of a hierarchy joined by dots."""
    if isinstance(label, tuple):
        return ".".join(str(part) for part in label if part != "")
    return str(label)


def distinct(names):
    """Names without repetition, by a number appended: a, a.1, a.2."""
    seen = set()
    out = []
    for name in names:
        base, n = name, 0
        while name in seen:
            n += 1
            name = f"{base}.{n}"
        seen.add(name)
        out.append(name)
    return out


register((pandas.DataFrame, pandas.Series), bundle)
