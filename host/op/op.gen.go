// Code generated from host/op/ops.json by host/op/gen; DO NOT EDIT.

package op

// The synchronous operations.
const (
	// Write: output of the program.
	//
	//	in:  u8 fd (1 stdout, 2 stderr), bytes
	//	out: nothing
	Write Op = 1
	// Result: the value of the event; the last one counts.
	//
	//	in:  u8 kind (0 none, 1 JSON, 2 text), str type, bytes
	//	out: nothing
	Result Op = 2
	// Fail: an error that nobody caught; the first one counts.
	//
	//	in:  u8 origin (0 the event, 1 uncaught, 2 unhandled rejection), error
	//	out: nothing
	Fail Op = 3
	// Exit: ends the event at once; does not return.
	//
	//	in:  u32 code
	//	out: nothing
	Exit Op = 4
	// Resolve: names the module that an import means; a builtin is answered as it is (node:fs).
	//
	//	in:  str referrer, str specifier
	//	out: str name
	Resolve Op = 5
	// Load: a module's source.
	//
	//	in:  str name, str type (import attribute, or empty)
	//	out: u8 kind (m source, c CommonJS, a either: the one that it compiles as, j JSON, t text, d data as a Uint8Array, b as an ArrayBuffer, w a WebAssembly module), bytes
	Load Op = 6
	// Random: cryptographically strong, at most 65536.
	//
	//	in:  u32 n
	//	out: the n bytes, without a length
	Random Op = 7
	// Clock: coarse: rounded down to 0.1 ms.
	//
	//	in:  nothing
	//	out: f64 unix milliseconds, f64 milliseconds since the isolate started
	Clock Op = 8
	// Cancel: drops a pending asynchronous operation: it will not settle; unknown ids are ignored.
	//
	//	in:  u32 id
	//	out: nothing
	Cancel Op = 10
	// Stdin: the whole standard input.
	//
	//	in:  nothing
	//	out: the bytes, without a length
	Stdin Op = 11
	// Display: a rich result, as a chart: one thing in several media types, text ones as UTF-8; application/vnd.mayfly.chart+json is chart data.
	//
	//	in:  u8 main (1: of the event's result), list<str mime, bytes>
	//	out: nothing
	Display Op = 12
	// FSRead.
	//
	//	in:  str path
	//	out: the bytes, without a length
	FSRead Op = 20
	// FSWrite.
	//
	//	in:  str path, u8 mode (0 truncate, 1 append, 2 create only), bytes
	//	out: nothing
	FSWrite Op = 21
	// FSReaddir: sorted; type 1 file, 2 directory.
	//
	//	in:  str path
	//	out: list<str name, u8 type>
	FSReaddir Op = 22
	// FSStat.
	//
	//	in:  str path
	//	out: u8 type, f64 size, f64 mtime ms, f64 ctime ms, f64 birthtime ms, f64 inode, u32 mode
	FSStat Op = 23
	// FSMkdir.
	//
	//	in:  str path, u8 recursive
	//	out: str first directory made, or empty
	FSMkdir Op = 24
	// FSRm.
	//
	//	in:  str path, u8 flags (1 recursive, 2 force, 4 only an empty directory, 8 only a file)
	//	out: nothing
	FSRm Op = 25
	// FSRename.
	//
	//	in:  str from, str to
	//	out: nothing
	FSRename Op = 26
	// FSCopy.
	//
	//	in:  str from, str to, u8 mode (0 overwrite, 2 create only)
	//	out: nothing
	FSCopy Op = 27
	// FSTruncate.
	//
	//	in:  str path, f64 size
	//	out: nothing
	FSTruncate Op = 28
	// BodyCancel: gives up a response body.
	//
	//	in:  u32 handle
	//	out: nothing
	BodyCancel Op = 30
	// CryptoHash: a part of a digest, or a whole one.
	//
	//	in:  u8 hash (as Go's crypto.Hash numbers them), u8 flags (1 finish, 2 HMAC), bytes key (of HMAC), bytes state (of before, or empty), the data without a length
	//	out: the state, or the digest if finished, without a length
	CryptoHash Op = 32
	// CryptoCipher: data and room are overwritten.
	//
	//	in:  u8 algorithm (1 CTR, 2 CBC, 3 CBC unpadded, 4 GCM, 5 GCM's key stream, 6 KW, 7 ECB unpadded, 8 RSA-OAEP), u8 direction (0 encrypt, 1 decrypt), bytes key, bytes iv, u32 parameter (CTR: bits of the counter; GCM: bytes of the tag; its key stream: first block; OAEP: hash), bytes additional data or label, the data without a length, 16 bytes of room
	//	out: the result, without a length
	CryptoCipher Op = 33
	// CryptoSign.
	//
	//	in:  u8 verify, u8 scheme (1 HMAC, 2 RSASSA-PKCS1-v1_5, 3 RSA-PSS, 4 ECDSA as in IEEE P1363, 5 ECDSA as in ASN.1, 6 Ed25519, 7 RSA-PSS with any salt, to verify only), u8 hash, u32 bytes of salt, u8 kind of key, bytes key, bytes signature (empty unless verified), the data without a length
	//	out: the signature without a length, or u8 1 if it is right, 0 if not
	CryptoSign Op = 34
	// CryptoDerive.
	//
	//	in:  u8 algorithm; 1 PBKDF2: u8 hash, u32 iterations, u32 bytes, bytes password, bytes salt; 2 HKDF: u8 hash, u32 bytes, bytes key, bytes salt, bytes info; 3 scrypt: u32 N, u32 r, u32 p, u32 bytes, bytes password, bytes salt, 128·r·(N+p+2) bytes that are overwritten; 4 ECDH: u8 kind, bytes private key, bytes public key
	//	out: the bytes, without a length
	CryptoDerive Op = 35
	// CryptoKey: kinds: 1 RSA, 2 P-256, 3 P-384, 4 P-521, 5 Ed25519, 6 X25519, 7 oct (jwk only).
	//
	//	in:  u8 function; 1 import: u8 kind (0 any), u8 format (0 raw, 1 pkcs8, 2 spki, 3 jwk, 4 pkcs1, 5 sec1, 6 X.509 certificate, 7 private scalar), then the key without a length, or for jwk list<str name, str value>; 2 export: u8 kind, u8 private, u8 format, bytes key; 3 public key of: u8 kind, bytes private key
	//	out: 1: u8 kind, u8 private, u32 bits, bytes public exponent (RSA), bytes key; 2: the key without a length, or the list; 3: the key without a length
	CryptoKey Op = 36
	// CryptoGenerate.
	//
	//	in:  u8 kind, u32 bits (RSA), bytes public exponent (RSA)
	//	out: bytes private key, bytes public key
	CryptoGenerate Op = 37
	// CompressStep: pushes input into a stream that compresses or decompresses, and pulls at most room bytes of output.
	//
	//	in:  f64 handle (0: opens a stream), u8 flush (0 none, 1 sync, 2 finish), u32 room, then if the handle is 0: u8 format (0 deflate-raw, 1 deflate, 2 gzip, 3 brotli), u8 decompress, u8 members (gzip: more may follow), u8 level (signed: -2 to 9, brotli 0 to 11), u8 window (brotli: its logarithm, 10 to 24), bytes dictionary; then always: bytes input
	//	out: f64 handle (0: the stream has ended), u8 state (0 needs input, 1 has more output, 2 ended), u32 consumed bytes of the input, u32 unread bytes after the end, then the output, without a length
	CompressStep Op = 38
	// CompressClose: gives a stream up; unknown ones are ignored.
	//
	//	in:  f64 handle
	//	out: nothing
	CompressClose Op = 39
	// Decode: decodes a legacy encoding (Encoding standard); what a stream has in hand is in its state.
	//
	//	in:  u8 encoding (its place in the list of host/encoding), u8 flags (1 fatal, 2 the input ends), bytes state (of the call before, empty at first), bytes input
	//	out: bytes state, then UTF-16 code units, without a length
	Decode Op = 40
	// Crc32: the checksum of gzip.
	//
	//	in:  u32 value to go on from, bytes
	//	out: u32
	Crc32 Op = 41
	// WasmCompile: compiles a WebAssembly module. An extern is u8 kind and its type: 0 function: bytes params, bytes results; 1 table: u8 type, u32 min, u8 bounded, u32 max; 2 memory: u32 min, u8 bounded, u32 max; 3 global: u8 type, u8 mutable. Types are those of the binary format. Modules, and whatever else of WebAssembly is at the host, are handles: numbers that end with the isolate.
	//
	//	in:  bytes module
	//	out: f64 module, list<str module, str name, extern> imports, list<str name, extern> exports
	WasmCompile Op = 46
	// WasmInstantiate: links a module and runs its start function; imports in order.
	//
	//	in:  f64 module, list<u8 kind (0 JavaScript function: f64 import id; 1 f64 handle; 2 number: 8 bytes)>
	//	out: f64 instance, list<f64 handle, u32 memory id (of a memory)> exports
	WasmInstantiate Op = 47
	// WasmCall: calls a function of an instance, which may call functions of the guest; references are handles, or ids of the guest for externref; 0 is null.
	//
	//	in:  f64 function, 8 bytes for each parameter
	//	out: 8 bytes for each result
	WasmCall Op = 48
	// WasmObject: works with memories, tables, globals and functions of WebAssembly.
	//
	//	in:  u8 action, and what it takes (host/webassembly)
	//	out: what it answers
	WasmObject Op = 49
	// RequireResolve: as resolve, for a require of CommonJS.
	//
	//	in:  str referrer, str specifier
	//	out: str name
	RequireResolve Op = 52
	// Bindings: what the execution's environment has besides variables; the value is that of a var (JSON) or a secret (text), the base URL of a fetcher, else empty.
	//
	//	in:  nothing
	//	out: list<str name, str kind, u32 handle, bytes value>
	Bindings Op = 55
	// Respond: answers a dispatched fetch; the event goes on until event_done.
	//
	//	in:  u32 event, u32 status, str statusText, list<str name, str value> headers, u8 body (0 null, 1 bytes, 2 stream, 3 a body of the host, 4 a WebSocket), bytes body (empty unless 1; u32 handle if 3)
	//	out: u32 handle (of 2: to be written to by body_write; of 4: the socket's, as that of websocket; else 0)
	Respond Op = 42
	// Answer: answers a dispatched call, or another event but a fetch.
	//
	//	in:  u32 event, value
	//	out: nothing
	Answer Op = 43
	// EventFail: an error that nobody caught in a dispatched event; from its handler it is the answer. The code ERR_INTERRUPTED says that it was interrupted: nothing more of it runs.
	//
	//	in:  u32 event (0: that of the turn), u8 origin (0 its handler, 1 uncaught, 2 unhandled rejection; 128 is added where it has called passThroughOnException), error
	//	out: nothing
	EventFail Op = 44
	// EventDone: a dispatched event is over: it was answered, what it waits for has settled, and nobody holds a stub of what it gave out.
	//
	//	in:  u32 event
	//	out: nothing
	EventDone Op = 45
	// Log: a message of console in a worker; it belongs to the event of the turn.
	//
	//	in:  u8 level (0 debug, 1 log, 2 info, 3 warn, 4 error), bytes text as a terminal shows it, bytes message (JSON: the array of the arguments)
	//	out: nothing
	Log Op = 50
	// StubRelease: gives a stub up; unknown ones are ignored.
	//
	//	in:  u32 handle
	//	out: nothing
	StubRelease Op = 51
	// LoaderGet: finds a dynamic worker by its id, or begins one.
	//
	//	in:  u32 handle of the loader, u8 (0 no id, 1 id), str id
	//	out: u32 worker, u8 (1 loader_provide is to follow, 2 another event is to provide the code: loader_wait)
	LoaderGet Op = 53
	// LoaderProvide: gives a dynamic worker its code, or says why there is none; mistakes in the code are an error of the operation.
	//
	//	in:  u32 worker, u8 (0 error, 1 code), then error, or code: see host/worker
	//	out: nothing
	LoaderProvide Op = 54
	// LoaderEntrypoint: an entrypoint of a dynamic worker.
	//
	//	in:  u32 worker, u8 named, str name, value props (or nothing), f64 cpuMs, f64 subRequests, f64 memoryMb, f64 wallMs (each 0: no limit of its own)
	//	out: u32 stub
	LoaderEntrypoint Op = 56
	// Loopback: an entrypoint of the worker itself.
	//
	//	in:  str export, value props (or nothing)
	//	out: u32 stub
	Loopback Op = 57
	// Environment: the env of a dynamic worker; without one the bindings are.
	//
	//	in:  nothing
	//	out: u8 given, value
	Environment Op = 58
	// PipeOpen: a stream of bytes that is to be passed on: what body_write gives to the handle is read by who gets it.
	//
	//	in:  nothing
	//	out: u32 handle
	PipeOpen Op = 59
)

// The asynchronous operations.
const (
	// Sleep: settles after that time.
	//
	//	in:  f64 milliseconds
	//	out: nothing
	Sleep Op = 64
	// Fetch: a streamed request body is sent by body_write to this operation's id; the response's body that becomes a request's is given up to it, whole; cancel aborts.
	//
	//	in:  str method, str url, list<str name, str value> headers, u8 redirect (0 follow, 1 manual, 2 error), u8 body (0 none, 1 bytes, 2 stream, 3 a response's body), bytes body (empty unless 1; u32 handle if 3)
	//	out: u32 status, str statusText, str url, u8 redirected, list<str name, str value> headers, u8 body (0 null, 1 bytes, 2 stream), bytes body (empty unless 1), u32 handle (0 unless 2)
	Fetch Op = 65
	// BodyRead: the next chunk of a response body; end 1 comes with no bytes.
	//
	//	in:  u32 handle
	//	out: u8 end, bytes
	BodyRead Op = 66
	// BodyWrite: settles when there is room for more: back-pressure.
	//
	//	in:  u32 fetch id, u8 end (1 last, 2 abort), bytes (of an abort: an error that says why, or nothing)
	//	out: nothing
	BodyWrite Op = 67
	// Connect: makes a connection ready for a fetch that follows, or says why there can be none; for guests whose libraries connect before they request.
	//
	//	in:  u8 secure (0 TCP, 1 TLS), str host, u32 port
	//	out: nothing
	Connect Op = 68
	// Websocket: a fetch that asks for a WebSocket; the header sec-websocket-protocol lists the subprotocols that are offered, redirects are not followed.
	//
	//	in:  as fetch, without a body
	//	out: as fetch; where the status is 101 the handle is the socket's
	Websocket Op = 69
	// WebsocketSend: settles when the messages have gone to the network; one at a time for each socket.
	//
	//	in:  u32 handle, list<u8 kind (1 text, 2 binary), bytes>
	//	out: nothing
	WebsocketSend Op = 70
	// WebsocketReceive: the next message; closed comes last, with the code (1005: none, 1006: the connection broke), whether both sides closed, and the reason for bytes.
	//
	//	in:  u32 handle
	//	out: u8 kind (0 closed, 1 text, 2 binary), u32 code, u8 clean, bytes
	WebsocketReceive Op = 71
	// WebsocketClose: begins to close; settles when that is over, after which websocket_receive has answered closed or will.
	//
	//	in:  u32 handle, u32 code (0 none), str reason
	//	out: nothing
	WebsocketClose Op = 72
	// StubCall: calls a method behind a stub, or gets what a property has.
	//
	//	in:  u32 stub, u8 kind (0 call, 1 get a property), list<str> path, value arguments (an array)
	//	out: value
	StubCall Op = 73
	// StubFetch: a fetch of a worker's entrypoint, or of whatever a stub stands for; redirects are followed as fetch does; where the status is 101 the handle is a socket's.
	//
	//	in:  u32 stub, then as fetch
	//	out: as fetch
	StubFetch Op = 74
	// Bundle: makes a worker's modules of source files and npm packages.
	//
	//	in:  bytes options (JSON: as createWorker of @cloudflare/worker-bundler takes them)
	//	out: bytes result (JSON)
	Bundle Op = 75
	// Binding: uses a binding; host/binding and the packages below it describe the methods. A streamed body is sent by body_write to this operation's id, an answer's is read by body_read; cancel aborts.
	//
	//	in:  u32 handle, u8 method (of the binding's kind), bytes arguments (the method's), u8 body (0 none, 1 bytes, 2 stream), bytes body (empty unless 1)
	//	out: bytes answer (the method's), u8 body (0 none, 1 bytes, 2 stream), bytes body (empty unless 1), u32 handle (0 unless 2)
	Binding Op = 76
	// LoaderWait: settles when a dynamic worker has its code, or with 1 when whoever was to provide it has gone.
	//
	//	in:  u32 worker
	//	out: u8 1 if loader_provide is to follow
	LoaderWait Op = 77
	// Socket: makes a connection over TCP, or to the handler connect of a worker; a write settles when it has gone to the network.
	//
	//	in:  u8 way (0 the worker's own to the network, 1 a stub, 2 a binding that is a fetcher), u32 handle of that, u8 TLS (0 none, 1 from the start, 2 from socket_tls on), str host:port
	//	out: u32 handle to read from by body_read, u32 handle to write to by body_write, str host:port
	Socket Op = 78
	// SocketTls: goes on with TLS: the handles of before are over, and what was not read is lost.
	//
	//	in:  u32 handle to read from, str name (of the certificate; empty: the host's)
	//	out: as socket
	SocketTls Op = 79
)

// The events.
const (
	// EventRun: runs a program to its end; guests answer with result or fail.
	//
	//	in:  u8 flags (1 allow eval), u8 kind (0 detect, 1 script, 2 module), str name, str source, bytes input (JSON, empty: undefined), list<str> args, list<str name, str value> env, str cwd
	//	out: nothing
	EventRun Event = 1
	// EventPrepare: evaluates a program up to the function that is its default export (a module) or its value (a script), and rests, so that the state can be captured; guests answer with fail, or with nothing.
	//
	//	in:  as run; the input is ignored
	//	out: nothing
	EventPrepare Event = 2
	// EventInvoke: calls the prepared function with input, env and context; guests answer as to run.
	//
	//	in:  bytes input (JSON, empty: undefined), list<str name, str value> env (added to what prepare had)
	//	out: nothing
	EventInvoke Event = 3
	// EventCell: runs a program whose names stay for the cells after it, in the same state; guests answer as to run.
	//
	//	in:  as run
	//	out: nothing
	EventCell Event = 4
	// EventServe: evaluates a worker's main module, and rests with its exports at hand; guests answer with fail, or with nothing.
	//
	//	in:  u8 flags (1 allow eval), str main (a module's name), list<str name, str value> env (process.env), str cwd
	//	out: nothing
	EventServe Event = 5
	// EventDispatch: an event of a worker that serves, any number of them at once. Kinds: 1 fetch: str entrypoint (empty: default), value props (or nothing), str method, str url, list<str name, str value> headers, bytes cf (JSON), u8 body (0 null, 1 bytes, 2 stream), bytes body, u32 handle; answered by respond. 2 call: u8 target (0 entrypoint, 1 export), str entrypoint, value props (or nothing), u32 export, u8 kind (as stub_call), list<str> path, value arguments; answered by answer. 3 scheduled: str entrypoint, value props (or nothing), f64 time in unix milliseconds, str cron; answered by answer. 4 tail: str entrypoint, value props (or nothing), bytes items (JSON array of trace items); answered by answer. 5 abort: str reason: who asked has gone away: request.signal fires, and unless something is left that waitUntil waits for the event is over; no answer. 6 release: u32 export, u32 times: no stub of it is left, of as many as the host has seen it given out (a guest that has given it out more often by now keeps it); no answer, the event is that which gave it out. 7 end: the event is over by force, nothing of it runs any more; no answer. 8 connect: str entrypoint, value props (or nothing), str host:port that was asked for, u8 TLS (as socket), u32 handle to read from, u32 handle to write to; answered by answer when the handler has it. Failures are told by event_fail.
	//
	//	in:  u32 event, u8 kind, bytes message (the kind's)
	//	out: nothing
	EventDispatch Event = 6
)

var opNames = map[Op]string{
	Write:            "write",
	Result:           "result",
	Fail:             "fail",
	Exit:             "exit",
	Resolve:          "resolve",
	Load:             "load",
	Random:           "random",
	Clock:            "clock",
	Cancel:           "cancel",
	Stdin:            "stdin",
	Display:          "display",
	FSRead:           "fs_read",
	FSWrite:          "fs_write",
	FSReaddir:        "fs_readdir",
	FSStat:           "fs_stat",
	FSMkdir:          "fs_mkdir",
	FSRm:             "fs_rm",
	FSRename:         "fs_rename",
	FSCopy:           "fs_copy",
	FSTruncate:       "fs_truncate",
	BodyCancel:       "body_cancel",
	CryptoHash:       "crypto_hash",
	CryptoCipher:     "crypto_cipher",
	CryptoSign:       "crypto_sign",
	CryptoDerive:     "crypto_derive",
	CryptoKey:        "crypto_key",
	CryptoGenerate:   "crypto_generate",
	CompressStep:     "compress_step",
	CompressClose:    "compress_close",
	Decode:           "decode",
	Crc32:            "crc32",
	WasmCompile:      "wasm_compile",
	WasmInstantiate:  "wasm_instantiate",
	WasmCall:         "wasm_call",
	WasmObject:       "wasm_object",
	RequireResolve:   "require_resolve",
	Bindings:         "bindings",
	Respond:          "respond",
	Answer:           "answer",
	EventFail:        "event_fail",
	EventDone:        "event_done",
	Log:              "log",
	StubRelease:      "stub_release",
	LoaderGet:        "loader_get",
	LoaderProvide:    "loader_provide",
	LoaderEntrypoint: "loader_entrypoint",
	Loopback:         "loopback",
	Environment:      "environment",
	PipeOpen:         "pipe_open",
	Sleep:            "sleep",
	Fetch:            "fetch",
	BodyRead:         "body_read",
	BodyWrite:        "body_write",
	Connect:          "connect",
	Websocket:        "websocket",
	WebsocketSend:    "websocket_send",
	WebsocketReceive: "websocket_receive",
	WebsocketClose:   "websocket_close",
	StubCall:         "stub_call",
	StubFetch:        "stub_fetch",
	Bundle:           "bundle",
	Binding:          "binding",
	LoaderWait:       "loader_wait",
	Socket:           "socket",
	SocketTls:        "socket_tls",
}

var eventNames = map[Event]string{
	EventRun:      "run",
	EventPrepare:  "prepare",
	EventInvoke:   "invoke",
	EventCell:     "cell",
	EventServe:    "serve",
	EventDispatch: "dispatch",
}
