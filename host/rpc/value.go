package rpc

// Messages of values are CBOR (RFC 8949): one data item of definite lengths.
//
//	item                      value
//	unsigned, negative        a number that is an integer, but not -0, of magnitude < 2^53
//	float64 (16, 32 are read) any other number
//	false true null undefined themselves
//	text                      a string
//	273(bytes)                a string with lone surrogates, as WTF-8
//	2(bytes), 3(bytes)        a bigint: n, and -1-n; big endian
//	bytes                     an ArrayBuffer
//	array                     an Array without holes or properties of its own
//	map                       a plain object; keys are strings (text or 273)
//	258(array)                a Set
//	259(map)                  a Map; keys are values
//	29(n)                     the nth object of the message again
//	64(b) Uint8Array, 68 Uint8ClampedArray, 69 Uint16Array, 70 Uint32Array, 71 BigUint64Array, 72 Int8Array, 77 Int16Array,
//	78 Int32Array, 79 BigInt64Array, 84 Float16Array, 85 Float32Array, 86 Float64Array (RFC 8746), 60000 DataView:
//	                          b is the buffer, which the view covers, or [buffer, byte offset, elements (of a DataView:
//	                          bytes), or null if the view's length is the buffer's]; a buffer is bytes, 60001 or 29
//	60001([bytes, most])      a resizable ArrayBuffer, and how many bytes it may have
//	60002([length, map])      an Array with holes or properties: those that it has
//	60003(item)               an object that wraps a boolean, number, bigint or string
//	60004(number)             a Date: Unix time in milliseconds, or NaN
//	60005([source, flags])    a RegExp
//	60006([class, map])       an error: class is Error, one of its kinds of ECMA-262, or AggregateError; the map has its own
//	                          properties: stack, message, name where it is another than the class, cause, errors, and others
//	60007([name, message, stack]) a DOMException; the stack may be undefined
//	60010(i)                  a stub of the capability of index i, of kind 1 or 2: what was a function or an RpcTarget, too
//	60011(i)                  a service: a stub that has fetch
//	60012(i)                  a ReadableStream of bytes: a capability of kind 3 or 6
//	60013(i)                  a WritableStream of bytes: kind 4
//	60014(i)                  a binding: kind 5
//	60015([aborted, reason, i]) an AbortSignal; i, or null where it can't abort any more, is a capability of kind 3 or 6,
//	                          which has at most one thing: the message of the reason, when the signal aborts
//	60016([value, i])         a result whose disposal releases the capability of index i, of kind 1 or 2
//	60020([type, bytes])      a Blob
//	60021([type, bytes, name, last modified]) a File
//	60022([name, value, …])   Headers
//	60023([method, url, headers, body, map])  a Request; the body is null, bytes or 60012; the map may have redirect, signal,
//	                          integrity, cf
//	60024([status, status text, headers, body, map]) a Response; the map may have url, redirected, type, cf
//
// All but the primitives, which are the first six lines and bigints, are objects:
// each bytes, array, map and tag (but 2, 3, 29, 273, and the bytes in those) has
// a number, from 0 on, in the order in which they begin; so 64(bytes) is two.
// A reference is to one that began before, and is complete or holds values by
// itself (array, map, 258, 259, 60002, 60006).
const (
	TagBigInt         = 2
	TagNegativeBigInt = 3
	TagReference      = 29
	TagUint8Array     = 64
	TagSet            = 258
	TagMap            = 259
	TagSurrogates     = 273
	TagDataView       = 60000
	TagResizable      = 60001
	TagSparse         = 60002
	TagBoxed          = 60003
	TagDate           = 60004
	TagRegExp         = 60005
	TagError          = 60006
	TagDOMException   = 60007
	TagStub           = 60010
	TagService        = 60011
	TagReadable       = 60012
	TagWritable       = 60013
	TagBinding        = 60014
	TagSignal         = 60015
	TagDisposable     = 60016
	TagBlob           = 60020
	TagFile           = 60021
	TagHeaders        = 60022
	TagRequest        = 60023
	TagResponse       = 60024
)

// MaxNesting bounds how deep values are nested in values, counting each array,
// map and tag.
const MaxNesting = 512
