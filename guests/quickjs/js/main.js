// The bootstrap: evaluated once, into the image, before any user code. It
// imports what defines globals, and the modules that programs may import: those
// whose names begin with "node:". Names that begin with "mayfly:" are reachable
// only from here.
//
// mayfly:x is the file x.js beside this one, node:x is node/x.js, and
// mayfly:npm/x a file of the packages in ../package.json.
//
// What is in a file here runs once, when the image is made. What differs from
// run to run (arguments, environment, input, clocks) is asked of the host when
// it is used, so that a fresh clone has nothing to set up.
// Packages, pinned in ../package-lock.json, with their licences: @pkgjs/parseargs
// (MIT), base64-js (MIT), buffer (MIT), events (MIT), ieee754 (BSD-3-Clause),
// moment-timezone (MIT: its data), node-inspect-extracted (MIT),
// readable-stream (MIT), string_decoder (MIT), unenv (MIT), urlpattern-polyfill
// (MIT), web-streams-polyfill (MIT).
import "mayfly:console";
import "mayfly:timers";
import "mayfly:event";
import "mayfly:abort";
import "mayfly:performance";
import "mayfly:crypto";
import "mayfly:streams";
import "mayfly:text-streams";
import "mayfly:identity-stream";
import "mayfly:compression-stream";
import "mayfly:crypto-digest-stream";
import "mayfly:blob";
import "mayfly:form-data";
import "mayfly:url-pattern";
import "mayfly:fetch";
import "mayfly:event-source";
import "mayfly:html-rewriter";
import "mayfly:webassembly";
import "mayfly:cache";
import "mayfly:file-reader";
import "mayfly:scheduler";
import "mayfly:navigator";
import "mayfly:message-port";
import "mayfly:clone";
import "mayfly:buffer";
import "mayfly:process";
import "mayfly:worker-env";
import "mayfly:shown";
import "mayfly:worker-calls";
import "mayfly:loader";
import "mayfly:call-site";
import "mayfly:rpc";

import "node:assert";
import "node:assert/strict";
import "node:async_hooks";
import "node:buffer";
import "node:crypto";
import "node:cloudflare-sockets";
import "node:cloudflare-workers";
import "node:cloudflare-worker-bundler";
import "node:child_process";
import "node:cluster";
import "node:console";
import "node:constants";
import "node:dgram";
import "node:diagnostics_channel";
import "node:dns";
import "node:dns/promises";
import "node:events";
import "node:fs";
import "node:fs/promises";
import "node:http";
import "node:http2";
import "node:https";
import "node:inspector";
import "node:module";
import "node:net";
import "node:os";
import "node:path";
import "node:path/posix";
import "node:path/win32";
import "node:perf_hooks";
import "node:process";
import "node:punycode";
import "node:querystring";
import "node:readline";
import "node:readline/promises";
import "node:stream";
import "node:stream/consumers";
import "node:stream/promises";
import "node:stream/web";
import "node:string_decoder";
import "node:sys";
import "node:timers";
import "node:timers/promises";
import "node:tls";
import "node:tty";
import "node:url";
import "node:util";
import "node:util/types";
import "node:v8";
import "node:vm";
import "node:worker_threads";
import "node:zlib";

import "mayfly:intl";
import "mayfly:require";
import "mayfly:hooks";
