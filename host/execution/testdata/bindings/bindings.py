# Bindings in Python: blocking where nothing awaits, awaitable where it does.
import io
import asyncio

import pandas as pd
from workers import env as imported

assert imported is env
assert env.LIMIT == 5 and env["WORDS"] == ["a", "b"] and env.HOME == "/workspace", env
assert "KV" in env and "NOPE" not in env and env.get("NOPE") is None
try:
    env.NOPE
    assert False
except AttributeError as error:
    assert "env has no NAME" not in str(error)
kv, b = env.KV, env.BUCKET
kv.put("a", "grüße", metadata={"x": 1}, expiration_ttl=60)
assert kv.get("a") == "grüße", kv.get("a")
assert kv.get("missing") is None
m = kv.get_with_metadata("a"); assert m.value == "grüße" and m.metadata == {"x": 1}, m
assert kv.get(["a", "zz"]) == {"a": "grüße", "zz": None}
kv.put("j", '{"q": [1]}'); assert kv.get("j", "json") == {"q": [1]}
l = kv.list(prefix="a"); assert [k.name for k in l.keys] == ["a"] and l.list_complete
try: kv.put("a", "x", expiration_ttl=5); assert False
except Exception as err: assert type(err).__name__ == "KVError" and err.code == 400, err
o = b.put("d/x.csv", "a,b\n1,2\n3,4\n", http_metadata={"content_type": "text/csv"}, custom_metadata={"who": "me"})
assert o.size == 12 and o.httpMetadata.contentType == "text/csv", o
assert b.get("nope") is None and b.head("nope") is None
assert b.get("d/x.csv").text() == "a,b\n1,2\n3,4\n"
df = pd.read_csv(b.get("d/x.csv")); assert df.b.tolist() == [2, 4]
buf = io.BytesIO(); df.to_excel(buf); buf.seek(0)
b.put("d/x.xlsx", buf); assert len(pd.read_excel(io.BytesIO(b.get("d/x.xlsx").bytes()))) == 2
big = bytes(range(256)) * 8000
b.put("big", big); assert b.get("big").bytes() == big
b.put("gen", (big[i:i+100000] for i in range(0, len(big), 100000))); assert b.get("gen").read() == big
assert b.get("big", range={"offset": 1, "length": 3}).bytes() == b"\x01\x02\x03"
assert [x.key for x in b.list(prefix="d/").objects] == ["d/x.csv", "d/x.xlsx"]
assert b.put("big", "x", only_if={"etag_matches": "no"}) is None
def broken():
    yield b"x"
    raise RuntimeError("broke off")
try: b.put("broken", broken()); assert False
except RuntimeError as err: assert str(err) == "broke off"
assert b.head("broken") is None
try: b.put("", "x"); assert False
except Exception as err: assert str(err).endswith("(10020)") and err.code == 10020, err
async def main():
    import asyncio
    assert await kv.get("a") == "grüße"
    assert kv.get("a") == "grüße" and len(kv.get("a")) == 5 and str(kv.get("a")) == "grüße"
    r = await asyncio.gather(*[kv.put(f"g{i}", str(i)) for i in range(20)])
    assert r == [None] * 20
    assert await asyncio.gather(*[kv.get(f"g{i}") for i in range(20)]) == [str(i) for i in range(20)]
    o = await b.get("d/x.csv"); assert (await o.text()).startswith("a,b")
    assert b.get("d/x.csv").text() == "a,b\n1,2\n3,4\n"
    assert len(pd.read_csv(b.get("d/x.csv"))) == 2
    kv.put("dropped", "kept"); assert await kv.get("dropped") == "kept"
    try: await b.put("", "x"); assert False
    except Exception as err: assert err.code == 10020
    u = await b.create_multipart_upload("multi")
    p1 = await u.upload_part(1, bytes(5 << 20)); p2 = await u.upload_part(2, "end")
    done = await u.complete([p1, p2]); assert done.size == (5 << 20) + 3
    site = await env.SITE.fetch("/"); assert site.status == 200 and await site.text() == "hi", site
asyncio.run(main())
"ok"
