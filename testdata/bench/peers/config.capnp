# workerd as a peer: a worker that runs the code it is posted by the loader.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "runner", worker = .runner)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "runner")],
);

const runner :Workerd.Worker = (
  modules = [(name = "runner.js", esModule = embed "runner.js")],
  compatibilityDate = "2026-08-01",
  compatibilityFlags = ["experimental"],
  bindings = [(name = "LOADER", workerLoader = ())],
);
