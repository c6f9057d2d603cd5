let p = {};
for (let i = 0; i < 500; i++) p = new Proxy(p, {});
for (;;) p.x;
