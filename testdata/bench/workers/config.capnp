# workerd as a peer: the worker that makes workers. The bundles of the
# applications are put beside this file.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "parent", worker = .parent)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "parent")],
);

const parent :Workerd.Worker = (
  modules = [
    (name = "parent.js", esModule = embed "parent.js"),
    (name = "hono-app.txt", text = embed "hono-app.txt"),
    (name = "hono-api.txt", text = embed "hono-api.txt"),
  ],
  compatibilityDate = "2026-08-01",
  compatibilityFlags = ["experimental"],
  bindings = [(name = "LOADER", workerLoader = ())],
);
