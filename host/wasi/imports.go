package wasi

import (
	"encoding/binary"
	"io"
	"strings"
	"unicode/utf8"
	"unsafe"

	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
)

// Module is the name of the module whose functions Imports gives.
const Module = "wasi_snapshot_preview1"

// A call is one call of an import: the state of the isolate and its memory.
type call struct {
	*System
	port   isolate.Port
	memory []byte
}

// A function is an import that answers with an error code. The stack has its
// parameters, the upper halves of 32-bit ones zero.
type function struct {
	name   string
	params string // i: 32 bits, l: 64 bits
	call   func(c *call, p []uint64) errno
}

var functions = []function{
	{"args_get", "ii", (*call).argsGet},
	{"args_sizes_get", "ii", (*call).argsSizesGet},
	{"environ_get", "ii", (*call).environGet},
	{"environ_sizes_get", "ii", (*call).environSizesGet},
	{"clock_res_get", "ii", (*call).clockResGet},
	{"clock_time_get", "ili", (*call).clockTimeGet},
	{"fd_advise", "illi", (*call).fdAdvise},
	{"fd_allocate", "ill", (*call).fdAllocate},
	{"fd_close", "i", (*call).fdClose},
	{"fd_datasync", "i", (*call).fdSync},
	{"fd_fdstat_get", "ii", (*call).fdFdstatGet},
	{"fd_fdstat_set_flags", "ii", (*call).fdFdstatSetFlags},
	{"fd_fdstat_set_rights", "ill", (*call).fdFdstatSetRights},
	{"fd_filestat_get", "ii", (*call).fdFilestatGet},
	{"fd_filestat_set_size", "il", (*call).fdFilestatSetSize},
	{"fd_filestat_set_times", "illi", (*call).fdFilestatSetTimes},
	{"fd_pread", "iiili", (*call).fdPread},
	{"fd_prestat_get", "ii", (*call).fdPrestatGet},
	{"fd_prestat_dir_name", "iii", (*call).fdPrestatDirName},
	{"fd_pwrite", "iiili", (*call).fdPwrite},
	{"fd_read", "iiii", (*call).fdRead},
	{"fd_readdir", "iiili", (*call).fdReaddir},
	{"fd_renumber", "ii", (*call).fdRenumber},
	{"fd_seek", "ilii", (*call).fdSeek},
	{"fd_sync", "i", (*call).fdSync},
	{"fd_tell", "ii", (*call).fdTell},
	{"fd_write", "iiii", (*call).fdWrite},
	{"path_create_directory", "iii", (*call).pathCreateDirectory},
	{"path_filestat_get", "iiiii", (*call).pathFilestatGet},
	{"path_filestat_set_times", "iiiilli", (*call).pathFilestatSetTimes},
	{"path_link", "iiiiiii", (*call).pathLink},
	{"path_open", "iiiiillii", (*call).pathOpen},
	{"path_readlink", "iiiiii", (*call).pathReadlink},
	{"path_remove_directory", "iii", (*call).pathRemoveDirectory},
	{"path_rename", "iiiiii", (*call).pathRename},
	{"path_symlink", "iiiii", (*call).pathSymlink},
	{"path_unlink_file", "iii", (*call).pathUnlinkFile},
	{"poll_oneoff", "iiii", (*call).pollOneoff},
	{"proc_raise", "i", (*call).procRaise},
	{"sched_yield", "", (*call).schedYield},
	{"random_get", "ii", (*call).randomGet},
	{"sock_accept", "iii", (*call).socket},
	{"sock_recv", "iiiiii", (*call).socket},
	{"sock_send", "iiiii", (*call).socket},
	{"sock_shutdown", "ii", (*call).socket},
}

// Imports are all functions of preview 1. They find the isolate that calls by
// in.Data().(isolate.Port).Host().(Host); where there is none they stop the
// guest.
func Imports() []engine.Import {
	list := make([]engine.Import, 0, len(functions)+1)
	for _, f := range functions {
		list = append(list, engine.Import{
			Module: Module, Name: f.name, Params: types(f.params), Results: []engine.ValueType{engine.I32},
			Func: func(in engine.Instance, stack []uint64) {
				stack[0] = uint64(f.call(callOf(in), stack))
			},
		})
	}
	return append(list, engine.Import{
		Module: Module, Name: "proc_exit", Params: types("i"),
		Func: func(in engine.Instance, stack []uint64) {
			callOf(in).exit(uint32(stack[0]))
		},
	})
}

func types(params string) []engine.ValueType {
	list := make([]engine.ValueType, len(params))
	for i, p := range params {
		list[i] = engine.I32
		if p == 'l' {
			list[i] = engine.I64
		}
	}
	return list
}

func callOf(in engine.Instance) *call {
	port, ok := in.Data().(isolate.Port)
	if !ok {
		panic(engine.Stop{Cause: errNoHost})
	}
	host, ok := port.Host().(Host)
	if !ok {
		panic(engine.Stop{Cause: errNoHost})
	}
	s := host.WASI()
	s.call = call{s, port, in.Memory()}
	return &s.call
}

// bytes is a range of the guest's memory, or nil and EFAULT.
func (c *call) bytes(at, length uint64) ([]byte, errno) {
	if at > uint64(len(c.memory)) || length > uint64(len(c.memory))-at {
		return nil, eFault
	}
	return c.memory[at : at+length : at+length], success
}

// path is a path in the guest's memory: valid during the call, as long as
// nothing is written there.
func (c *call) path(at, length uint64) (string, errno) {
	b, e := c.bytes(at, length)
	if e != success {
		return "", e
	}
	if len(b) == 0 {
		return "", eNoent
	}
	name := unsafe.String(&b[0], len(b))
	if !utf8.ValidString(name) {
		return "", eIlseq
	}
	if name[0] == '/' {
		return "", eNotcapable // paths are relative to a descriptor
	}
	return name, success
}

func (c *call) put32(at uint64, v uint32) errno {
	b, e := c.bytes(at, 4)
	if e == success {
		binary.LittleEndian.PutUint32(b, v)
	}
	return e
}

func (c *call) put64(at, v uint64) errno {
	b, e := c.bytes(at, 8)
	if e == success {
		binary.LittleEndian.PutUint64(b, v)
	}
	return e
}

func (c *call) argsGet(p []uint64) errno         { return c.strings(c.options.Args, p[0], p[1]) }
func (c *call) argsSizesGet(p []uint64) errno    { return c.sizes(c.options.Args, p[0], p[1]) }
func (c *call) environGet(p []uint64) errno      { return c.strings(c.options.Env, p[0], p[1]) }
func (c *call) environSizesGet(p []uint64) errno { return c.sizes(c.options.Env, p[0], p[1]) }

// strings writes a list as pointers and as strings that end in NUL.
func (c *call) strings(list []string, pointers, data uint64) errno {
	for _, s := range list {
		s, _, _ = strings.Cut(s, "\x00")
		b, e := c.bytes(data, uint64(len(s))+1)
		if e != success {
			return e
		}
		if e := c.put32(pointers, uint32(data)); e != success {
			return e
		}
		b[copy(b, s)] = 0
		pointers, data = pointers+4, data+uint64(len(b))
	}
	return success
}

func (c *call) sizes(list []string, count, size uint64) errno {
	n := 0
	for _, s := range list {
		s, _, _ = strings.Cut(s, "\x00")
		n += len(s) + 1
	}
	if e := c.put32(count, uint32(len(list))); e != success {
		return e
	}
	return c.put32(size, uint32(n))
}

func (c *call) procRaise([]uint64) errno { return eNotsup }

// schedYield lets the scheduler of isolates in.
func (c *call) schedYield([]uint64) errno {
	c.port.Yield()
	return success
}

// randomGet fills memory in parts, between which limits hold.
func (c *call) randomGet(p []uint64) errno {
	b, e := c.bytes(p[0], p[1])
	if e != success {
		return e
	}
	const part = 256 << 10
	for len(b) > 0 {
		n := min(len(b), part)
		if _, err := io.ReadFull(c.options.Random, b[:n]); err != nil {
			return eIo
		}
		if b = b[n:]; len(b) > 0 {
			c.port.Yield()
		}
	}
	return success
}

// socket answers for descriptors that are there and never sockets.
func (c *call) socket(p []uint64) errno {
	if c.file(p[0]) == nil {
		return eBadf
	}
	return eNotsock
}
