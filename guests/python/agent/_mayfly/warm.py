"""What the image is made of: the modules that every isolate finds imported,
and the paths through them that have run once, so that a program needs to run
none of it. Nothing here may depend on time or on randomness."""

import builtins
import gc
import importlib
import os
import sys

from . import binding, blocked, display, errors, fresh, host, loop, memory, op, platform, stdio

STANDARD = """
    abc argparse array ast asyncio atexit base64 bisect builtins calendar codecs collections collections.abc
    concurrent.futures configparser contextlib contextvars copy csv dataclasses datetime decimal difflib email.message
    email.policy enum errno fileinput fnmatch fractions functools gc getpass glob graphlib gzip hashlib heapq hmac html
    html.parser http.client importlib.metadata importlib.resources inspect io ipaddress itertools json keyword linecache
    locale logging logging.handlers lzma bz2 math mimetypes numbers opcode operator os pathlib pickle pkgutil platform
    pprint queue random re secrets select shelve shlex shutil signal socket sqlite3 stat statistics string struct
    subprocess sys tarfile tempfile textwrap threading time timeit tokenize tomllib traceback types typing
    typing_extensions unicodedata unittest urllib.error urllib.parse urllib.request uuid warnings wave weakref
    xml.etree.ElementTree zipfile zlib zoneinfo multiprocessing multiprocessing.pool encodings.ascii encodings.latin_1
    encodings.idna encodings.cp1252 encodings.utf_8_sig encodings.utf_16
""".split()

# Not sympy and statsmodels: they are 41 MB of image for what few programs use,
# and import in about a second.
SCIENCE = """
    numpy numpy.linalg numpy.random numpy.fft numpy.polynomial pandas pandas.plotting matplotlib matplotlib.pyplot
    matplotlib.dates matplotlib.ticker matplotlib.backends.backend_agg matplotlib.backends.backend_svg
    matplotlib.gridspec matplotlib.patches mpl_toolkits.mplot3d
    scipy scipy.optimize scipy.stats scipy.linalg scipy.sparse scipy.interpolate scipy.integrate scipy.signal
    scipy.spatial scipy.special scipy.fft scipy.cluster.hierarchy scipy.ndimage
    sklearn sklearn.linear_model sklearn.ensemble sklearn.tree sklearn.cluster sklearn.decomposition sklearn.metrics
    sklearn.model_selection sklearn.preprocessing sklearn.pipeline sklearn.compose sklearn.impute sklearn.neighbors
    sklearn.svm sklearn.naive_bayes sklearn.datasets sklearn.feature_extraction.text
    seaborn openpyxl xlsxwriter PIL.Image PIL.ImageDraw PIL.PngImagePlugin yaml bs4 lxml.etree lxml.html tabulate tqdm
    dateutil.parser networkx jinja2
""".split()

OWN = "notebook frames figures charts net_fetch binding worker asgi javascript".split()


def imports(names, package=None):
    def run():
        for name in names:
            importlib.import_module(name, package)
    return run


def plots():
    """Figures of the usual kinds: fonts are found, and glyphs loaded."""
    from . import figures

    figures.warm()


def tables():
    """A table read, grouped, shown, and written."""
    import io

    import pandas as pd

    frame = pd.read_csv(io.StringIO("a,b,when\n1,x,2024-01-02\n2,y,2024-01-03\n2.5,x,2024-01-04\n"), parse_dates=["when"])
    repr(frame), frame._repr_html_(), repr(frame.describe())
    repr(frame.groupby("b").agg({"a": ["sum", "mean"]})), frame.to_csv(), frame.to_json(orient="records")
    frame.merge(frame, on="b").sort_values("a_x").pivot_table(index="b", values="a_x")
    frame.to_excel(io.BytesIO(), index=False)


def failures():
    """Tracebacks, with causes and carets, as programs fail."""
    import asyncio

    from . import cell, errors

    sources = (
        "try:\n    1 / 0\nexcept Exception as e:\n    raise ValueError('x') from e\n",
        "def f(x):\n    return x.foo + 1\nf(\n  1)\n", "import no_such_module\n", "print(undefined_name)\n", "x = (1,\n",
        "{}['k']\n", "raise ExceptionGroup('g', [ValueError('a')])\n", "open('/no/such/file')\n",
    )
    for source in sources:
        try:
            cell.keep_source("main.py", source)
            cell.evaluate(source, "main.py", cell.fresh_main().__dict__)
        except BaseException as error:
            errors.record(error, "main.py")
    asyncio.run(asyncio.wait_for(asyncio.sleep(0), 1))


def programs():
    """Programs as they come, with their values."""
    from . import cell

    for source in ("1 + 1\n", "x = [1, 2]\nx\n", "import json\nd = {'a': 1}\nprint(json.dumps(d), file=__import__('io').StringIO())\nd;"):
        namespace = cell.fresh_main().__dict__
        cell.keep_source("main.py", source)
        value = cell.evaluate(source, "main.py", namespace)
        if value is not None:
            cell.as_json(value)


def names():
    """What programs find without importing it: display, fetch, mayfly."""
    imports(["." + name for name in OWN], __package__)()
    display.install()
    platform.install()
    from .net_fetch import fetch

    builtins.fetch = fetch
    binding.install()
    import tqdm

    tqdm.tqdm.monitor_interval = 0  # it would start a thread, and complain


def workers():
    """Requests as workers answer them."""
    from . import entry, worker

    entry.worker = worker
    worker.rehearse(entry)


STEPS = (
    ("streams", stdio.install),
    ("warnings", errors.install),
    ("limits", blocked.install),
    ("event loop", loop.install),
    ("standard library", imports(STANDARD)),
    ("scientific libraries", imports(SCIENCE)),
    ("names", names),
    ("plots", plots),
    ("tables", tables),
    ("tracebacks", failures),
    ("programs", programs),
    ("workers", workers),
)


def boot(entry):
    """Runs the steps, then seals the image."""
    for done, (name, step) in enumerate(STEPS):
        host.call(op.WRITE, b"\1" + message(f"warm {done}/{len(STEPS)} {name}\n"))
        step()
    seal(entry)


def message(text):
    data = text.encode()
    return len(data).to_bytes(4, "little") + data


def seal(entry):
    """Leaves nothing of the boot in the image."""
    import linecache

    from . import cell

    fresh.seal()
    entry.RESERVE[0] = bytearray(entry.RESERVE_SIZE)
    os.environ.clear()
    os.chdir(platform.HOME)
    stdio.install()
    linecache.clearcache()
    cell.state = cell.State()
    sys.argv[:] = [""]
    kept = tuple(path for path in sys.path if path) + (os.path.dirname(__file__),)
    for path in list(sys.path_importer_cache):
        if not path.startswith(kept):
            del sys.path_importer_cache[path]
    for name in ("last_exc", "last_type", "last_value", "last_traceback"):
        if hasattr(sys, name):
            delattr(sys, name)
    entry.take_over()
    gc.collect()
    gc.freeze()
    memory.plug()
