"""Blobs, files and forms. A form is a body as multipart/form-data (RFC 7578)."""

from email.message import Message
from email.parser import BytesParser
from os import urandom
from urllib.parse import parse_qsl

from .web_headers import Newable


class Blob(Newable):
    """Bytes with a type."""

    def __init__(self, blob_parts=(), content_type=None, *, type=None, **options):
        if isinstance(content_type, dict):
            content_type = content_type.get("type")
        if isinstance(blob_parts, (str, bytes, bytearray, memoryview, Blob)):
            blob_parts = (blob_parts,)
        self._data = b"".join(part_bytes(part) for part in blob_parts)
        self.type = (content_type or type or "").lower()

    @property
    def size(self):
        return len(self._data)

    content_type = property(lambda self: self.type)

    async def bytes(self):
        return self._data

    buffer = array_buffer = arrayBuffer = bytes

    async def text(self):
        return self._data.decode("utf-8", "replace")

    def slice(self, start=0, end=None, content_type=""):
        return Blob([self._data[start:end]], content_type)

    def __repr__(self):
        return f"<{type(self).__name__} {self.type or 'of no type'}, {len(self._data)} bytes>"


class File(Blob):
    """A Blob with a name."""

    def __init__(self, blob_parts=(), filename="file", content_type=None, last_modified=None, *, type=None, **options):
        super().__init__(blob_parts, content_type, type=type)
        self.name = filename
        self.last_modified = int(last_modified if last_modified is not None else options.get("lastModified", 0))

    lastModified = property(lambda self: self.last_modified)


def part_bytes(part):
    if isinstance(part, str):
        return part.encode("utf-8", "surrogatepass")
    if isinstance(part, Blob):
        return part._data
    return bytes(part)


class FormData(Newable):
    """The fields of a form: several values of a name in order, text or a File."""

    def __init__(self, form_data=None):
        self._list = []
        if form_data is not None:
            for name, v in form_data.items() if hasattr(form_data, "items") else form_data:
                for one in v if isinstance(v, (list, tuple)) else (v,):
                    self.append(name, one)

    def append(self, name, v, filename=None):
        if isinstance(v, Blob):
            if filename is not None or not isinstance(v, File):
                v = File([v], filename or "blob", v.type)
        elif isinstance(v, (bytes, bytearray)):
            v = File([v], filename or "blob", "application/octet-stream")
        else:
            v = str(v)
        self._list.append((str(name), v))

    def set(self, name, v, filename=None):
        self.delete(name)
        self.append(name, v, filename)

    __setitem__ = set

    def delete(self, name):
        self._list = [pair for pair in self._list if pair[0] != name]

    __delitem__ = delete

    def get_all(self, name):
        return [v for n, v in self._list if n == name]

    getAll = get_all

    def get(self, name, default=None):
        return next(iter(self.get_all(name)), default)

    def __getitem__(self, name):
        for n, v in self._list:
            if n == name:
                return v
        raise KeyError(name)

    def has(self, name):
        return any(n == name for n, _ in self._list)

    __contains__ = has

    def keys(self):
        return [name for name, _ in self._list]

    def values(self):
        return [v for _, v in self._list]

    def items(self):
        return list(self._list)

    entries = items

    def __iter__(self):
        return iter(self.keys())

    def __len__(self):
        return len(self._list)

    def __repr__(self):
        return f"FormData({self._list!r})"

    def _encode(self):
        """Its multipart form (RFC 7578) and the type of that."""
        boundary = "----formdata-" + urandom(16).hex()
        parts = []
        for name, v in self._list:
            head = f'--{boundary}\r\nContent-Disposition: form-data; name="{escape(name)}"'
            if isinstance(v, File):
                head += f'; filename="{escape(v.name)}"\r\nContent-Type: {v.type or "application/octet-stream"}'
            parts.append(head.encode() + b"\r\n\r\n" + (v._data if isinstance(v, File) else v.replace("\r\n", "\n").replace("\n", "\r\n").encode()) + b"\r\n")
        parts.append(f"--{boundary}--\r\n".encode())
        return b"".join(parts), f"multipart/form-data; boundary={boundary}"


def escape(name):
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def parse_form(data, content_type):
    """A body as a form, as its type says."""
    form = FormData()
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        form._list = parse_qsl(data.decode("utf-8", "replace"), keep_blank_values=True)
        return form
    if kind != "multipart/form-data":
        raise TypeError(f"Unrecognized Content-Type header value. FormData can only parse the following MIME types: multipart/form-data, application/x-www-form-urlencoded. Got: {content_type}")
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_boundary()
    if not boundary:
        raise TypeError("No boundary in Content-Type header")
    delimiter = b"\r\n--" + boundary.encode()
    for part in (b"\r\n" + data).split(delimiter)[1:]:
        if part.startswith(b"--"):
            break
        head, found, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if not found:
            raise TypeError("The form is malformed")
        fields = BytesParser().parsebytes(head + b"\r\n\r\n", headersonly=True)
        name = fields.get_param("name", header="content-disposition")
        if name is None:
            raise TypeError("No valid Content-Disposition header in a part of the form")
        filename = fields.get_filename()
        if filename is None:
            form._list.append((name, content.decode("utf-8", "replace")))
        else:
            form._list.append((name, File([content], filename, fields.get("content-type", "application/octet-stream"))))
    return form
