"""Headers of requests and responses, and what all things of the web share here."""

import re

from . import binding

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch


def given(options):
    """Options as Python has them: None is not given, names of JavaScript work."""
    return {binding.snake(name): v for name, v in options.items() if v is not None}


class Newable:
    """Things of JavaScript are made by new."""

    @classmethod
    def new(cls, *args, **named):
        return cls(*args, **named)

    def to_py(self, **options):
        return self

    @property
    def js_object(self):
        return self


class Headers(Newable):
    """Headers: names without regard to case, several values of a name in order."""

    def __init__(self, init=None):
        self._list = []
        if init is None:
            return
        if isinstance(init, Headers):
            self._list = list(init._list)
            return
        for name, v in init.items() if hasattr(init, "items") else init:
            self.append(name, v)

    def append(self, name, v):
        name, v = str(name).lower(), str(v).strip(" \t\r\n")
        if not TOKEN(name):
            raise TypeError(f"Invalid header name: {name!r}")
        if "\n" in v or "\r" in v or "\0" in v:
            raise TypeError(f"Invalid header value of {name}")
        self._list.append((name, v))

    def set(self, name, v):
        self.delete(name)
        self.append(name, v)

    __setitem__ = set

    def delete(self, name):
        name = str(name).lower()
        self._list = [pair for pair in self._list if pair[0] != name]

    def __delitem__(self, name):
        if name not in self:
            raise KeyError(name)
        self.delete(name)

    def get_all(self, name, default=None):
        name = str(name).lower()
        return [v for n, v in self._list if n == name] or ([] if default is None else default)

    getAll = get_all

    def get_set_cookie(self):
        return self.get_all("set-cookie")

    getSetCookie = get_set_cookie

    def get(self, name, default=None):
        values = self.get_all(name)
        return ", ".join(values) if values else default

    def __getitem__(self, name):
        values = self.get_all(name)
        if not values:
            raise KeyError(name)
        return ", ".join(values)

    def has(self, name):
        name = str(name).lower()
        return any(n == name for n, _ in self._list)

    def __contains__(self, name):
        return isinstance(name, str) and self.has(name)

    def keys(self):
        return list(dict.fromkeys(name for name, _ in self._list))

    def __iter__(self):
        return iter(self.keys())

    def __len__(self):
        return len(self.keys())

    def values(self):
        return [self[name] for name in self.keys()]

    def items(self):
        return [(name, self[name]) for name in self.keys()]

    entries = items

    def raw_items(self):
        """Names and values as they came."""
        return list(self._list)

    def setdefault(self, name, v):
        if name not in self:
            self.append(name, v)
        return self[name]

    def update(self, other):
        for name, v in other.items() if hasattr(other, "items") else other:
            self.set(name, v)

    def __eq__(self, other):
        return isinstance(other, Headers) and self._list == other._list

    __hash__ = None

    def __repr__(self):
        return f"Headers({self._list!r})"


def make_headers(pairs):
    made = Headers.__new__(Headers)
    made._list = pairs
    return made
