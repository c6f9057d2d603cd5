/*---
rows = [12]
attack = "every spelling of a closed address, by WebSockets and event sources"
match = "^\"refused \\d+ of \\d+: \"$"
[request]
network = { allow = [{ host = "*", ports = [80, 443, "@CANARY_PORT@", "@SERVER_PORT@"] }] }
limits = { subrequests = 1000, operations = 500, wall_ms = 30000 }
---*/
const port = ":@CANARY_PORT@";
const hosts = ["127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.0.0.01", "0", "0.0.0.0", "0x0", "localhost", "LOCALHOST", "localhost.", "LocalHost..", "a.localhost", "127.0.0.1.", "127.000.000.001",
  "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1]", "[fe80::1%25lo]", "[fec0::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[2001:db8::1]", "[::ffff:0:7f00:1]", "[64:ff9b:1::7f00:1]",
  "１２７.0.0.1", "①②⑦.0.0.1", "127。0。0。1", "%31%32%37.0.0.1", "ⓛocalhost", "loc\u00adalhost", "localhost%00.example.com", "localhost%2f", "user:pass@127.0.0.1", "example.com@127.0.0.1", "127.0.0.1#@example.com", "127.0.0.1\\@example.com", "example.com\\@127.0.0.1",
  "10.0.0.1", "10.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "192.168.0.1", "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "127.255.255.254", "127.0.0.3", "metadata.google.internal.invalid"];
const got = [];
let refused = 0;
const ends = (source, ok) => new Promise((resolve) => {
  source.onopen = source.onmessage = () => { got.push(ok); resolve(); };
  source.onerror = () => { refused++; source.close(); resolve(); };
});
const attempt = async (make, what) => {
  let source;
  try { source = make(); } catch { refused++; return; }
  await ends(source, what);
};
for (let i = 0; i < hosts.length; i += 8) {
  await Promise.all(hosts.slice(i, i + 8).flatMap((h) => [
    attempt(() => new WebSocket("ws://" + h + port + "/"), "ws " + h),
    attempt(() => new WebSocket("wss://" + h + ":@SERVER_PORT@/"), "wss " + h),
    attempt(() => new EventSource("http://" + h + port + "/"), "events " + h),
    fetch("http://" + h + port + "/", { headers: { upgrade: "websocket" } }).then((r) => got.push("upgrade " + h + r.status), () => { refused++; }),
  ]));
}
`refused ${refused} of ${hosts.length * 4}: ${got.join(", ")}`;
