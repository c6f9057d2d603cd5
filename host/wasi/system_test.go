package wasi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"mayfly/host/vfs"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
)

// All of preview 1 is there: 46 functions in the witx definition, with the
// parameters that its binding to wasm gives them.
func TestImports(t *testing.T) {
	want := strings.Fields(`args_get:2 args_sizes_get:2 environ_get:2 environ_sizes_get:2 clock_res_get:2 clock_time_get:3 fd_advise:4 fd_allocate:3
		fd_close:1 fd_datasync:1 fd_fdstat_get:2 fd_fdstat_set_flags:2 fd_fdstat_set_rights:3 fd_filestat_get:2 fd_filestat_set_size:2
		fd_filestat_set_times:4 fd_pread:5 fd_prestat_get:2 fd_prestat_dir_name:3 fd_pwrite:5 fd_read:4 fd_readdir:5 fd_renumber:2 fd_seek:4
		fd_sync:1 fd_tell:2 fd_write:4 path_create_directory:3 path_filestat_get:5 path_filestat_set_times:7 path_link:7 path_open:9
		path_readlink:6 path_remove_directory:3 path_rename:6 path_symlink:5 path_unlink_file:3 poll_oneoff:4 proc_exit:1 proc_raise:1
		sched_yield:0 random_get:2 sock_accept:3 sock_recv:6 sock_send:5 sock_shutdown:2`)
	var got []string
	for _, i := range Imports() {
		got = append(got, i.Name+":"+string(rune('0'+len(i.Params))))
		if i.Module != "wasi_snapshot_preview1" || len(i.Results) != 1 && i.Name != "proc_exit" {
			t.Errorf("%+v", i)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestArgumentsAndEnvironment(t *testing.T) {
	g := newGuest(t, vfs.Options{}, Options{Args: []string{"python", "größe", ""}, Env: []string{"HOME=/workspace", "CUT=a\x00b"}})
	for _, c := range []struct{ name, want string }{
		{"args", "python\x00größe\x00\x00"}, {"environ", "HOME=/workspace\x00CUT=a\x00"},
	} {
		g.must(c.name+"_sizes_get", atResult, atResult+4)
		count, size := int(g.u32(atResult)), int(g.u32(atResult+4))
		if size != len(c.want) || count != strings.Count(c.want, "\x00") {
			t.Errorf("%s: %d in %d bytes", c.name, count, size)
		}
		g.must(c.name+"_get", atResult, atData)
		if got := string(g.in.memory[atData:][:size]); got != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
		last := uint32(atData + strings.LastIndexByte(c.want[:size-1], 0) + 1)
		if got := g.u32(atResult + 4*(count-1)); got != last {
			t.Errorf("%s: the last is at %#x, not %#x", c.name, got, last)
		}
		end := uint64(len(g.in.memory))
		g.fails(eFault, c.name+"_get", atResult, end-uint64(size)+1)
		g.fails(eFault, c.name+"_get", end-4, atData)
		g.fails(eFault, c.name+"_sizes_get", atResult, end-3)
	}
}

func TestClocks(t *testing.T) {
	g := newGuest(t, vfs.Options{}, Options{CPU: func() time.Duration { return 1234567 }})
	read := func(id uint64) int64 {
		g.must("clock_time_get", id, 1, atResult)
		return int64(g.u64(atResult))
	}
	g.port.now = birth.Add(42*time.Millisecond + 55*time.Microsecond)
	for id, want := range []int64{
		g.port.now.UnixNano() / 100_000 * 100_000, int64(time.Hour + 42*time.Millisecond), 1_200_000, 1_200_000,
	} {
		if got := read(uint64(id)); got != want {
			t.Errorf("clock %d: %d, want %d", id, got, want)
		}
		g.must("clock_res_get", uint64(id), atResult)
		if g.u64(atResult) != 100_000 {
			t.Errorf("clock %d: resolution %d", id, g.u64(atResult))
		}
	}
	g.fails(eInval, "clock_time_get", 4, 1, atResult)
	g.fails(eInval, "clock_res_get", math.MaxUint32, atResult)
	g.fails(eFault, "clock_time_get", 0, 1, math.MaxUint32)
	if cpu := newGuest(t, vfs.Options{}, Options{}); cpu.call("clock_time_get", clockProcess, 1, atResult) != success || cpu.u64(atResult) != 0 {
		t.Error("without a counter, the processor's time is the age")
	}
}

func TestRandom(t *testing.T) {
	g := newGuest(t, vfs.Options{}, Options{})
	g.must("random_get", atData, 32)
	first := bytes.Clone(g.in.memory[atData:][:40])
	g.must("random_get", atData, 32)
	if bytes.Equal(first[:32], g.in.memory[atData:][:32]) || bytes.Equal(first[:32], make([]byte, 32)) || !bytes.Equal(first[32:], make([]byte, 8)) {
		t.Errorf("%x", first)
	}
	g.fails(eFault, "random_get", uint64(len(g.in.memory)-31), 32)
	g.must("random_get", uint64(len(g.in.memory)), 0)
	g.in.memory = make([]byte, 3<<20)
	g.must("random_get", 0, 3<<20)
	if g.port.yields < 2 {
		t.Error("limits don't hold while much is filled")
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("broken") }

func TestRandomnessThatFails(t *testing.T) {
	g := newGuest(t, vfs.Options{}, Options{})
	g.port.system.options.Random = broken{}
	g.fails(eIo, "random_get", atData, 32)
}

// subscribe lays out subscriptions of poll_oneoff.
func (g *guest) subscribe(list ...[]uint64) uint64 {
	for i, s := range list {
		b := g.in.memory[atVector+i*subscriptionSize:][:subscriptionSize]
		clear(b)
		binary.LittleEndian.PutUint64(b, 0x1000+uint64(i))
		b[8] = byte(s[0])
		binary.LittleEndian.PutUint32(b[16:], uint32(s[1]))
		if s[0] == eventClock {
			binary.LittleEndian.PutUint64(b[24:], s[2])
			binary.LittleEndian.PutUint16(b[40:], uint16(s[3]))
		}
	}
	return uint64(len(list))
}

func TestPoll(t *testing.T) {
	const second = uint64(time.Second)
	file := uint64(firstFree)
	now := uint64(birth.UnixNano())
	type event struct {
		index uint64
		err   errno
		bytes uint64
	}
	for name, c := range map[string]struct {
		subscriptions [][]uint64
		pauses        []time.Duration
		want          []event
	}{
		"sleep":             {[][]uint64{{eventClock, clockMonotonic, second, 0}}, []time.Duration{time.Second}, []event{{0, 0, 0}}},
		"sleep until":       {[][]uint64{{eventClock, clockRealtime, now + 3*second, 1}}, []time.Duration{3 * time.Second}, []event{{0, 0, 0}}},
		"monotonic until":   {[][]uint64{{eventClock, clockMonotonic, uint64(time.Hour) + second, 1}}, []time.Duration{time.Second}, []event{{0, 0, 0}}},
		"past":              {[][]uint64{{eventClock, clockRealtime, now - second, 1}}, nil, []event{{0, 0, 0}}},
		"nothing to wait":   {[][]uint64{{eventClock, clockMonotonic, 0, 0}}, nil, []event{{0, 0, 0}}},
		"the earliest":      {[][]uint64{{eventClock, 1, 5 * second, 0}, {eventClock, 0, 2 * second, 0}, {eventClock, 1, 2 * second, 0}}, []time.Duration{2 * time.Second}, []event{{1, 0, 0}, {2, 0, 0}}},
		"ages":              {[][]uint64{{eventClock, 1, math.MaxUint64, 0}}, []time.Duration{math.MaxInt64}, []event{{0, 0, 0}}},
		"a file":            {[][]uint64{{eventClock, 1, second, 0}, {eventRead, file}, {eventWrite, file}}, nil, []event{{1, 0, 4}, {2, 0, maxStream}}},
		"streams":           {[][]uint64{{eventRead, 0}, {eventWrite, 1}}, nil, []event{{0, 0, 5}, {1, 0, maxStream}}},
		"no descriptor":     {[][]uint64{{eventRead, 99}, {eventClock, 1, second, 0}}, nil, []event{{0, eBadf, 0}}},
		"a processor clock": {[][]uint64{{eventClock, clockProcess, second, 0}}, nil, []event{{0, eNotsup, 0}}},
		"no clock":          {[][]uint64{{eventClock, 77, second, 0}}, nil, []event{{0, eInval, 0}}},
		"no event":          {[][]uint64{{9, 0}}, nil, []event{{0, eInval, 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGuest(t, vfs.Options{}, Options{Stdin: []byte("input")})
			if fd := g.open("tmp/f", vfs.OpenCreate); fd != file {
				t.Fatal(fd)
			}
			g.write(file, "12345678")
			g.must("fd_seek", file, 4, 0, atResult)
			n := g.subscribe(c.subscriptions...)
			g.must("poll_oneoff", atVector, atData, n, atResult)
			var got []event
			for i := range int(g.u32(atResult)) {
				at := atData + i*eventSize
				e := event{g.u64(at) - 0x1000, errno(binary.LittleEndian.Uint16(g.in.memory[at+8:])), g.u64(at + 16)}
				if g.in.memory[at+10] != byte(c.subscriptions[e.index][0]) {
					t.Errorf("event %d has type %d", i, g.in.memory[at+10])
				}
				got = append(got, e)
			}
			if !slices.Equal(got, c.want) || !slices.Equal(g.port.pauses, c.pauses) {
				t.Errorf("events %v after %v, want %v after %v", got, g.port.pauses, c.want, c.pauses)
			}
		})
	}
	g := newGuest(t, vfs.Options{}, Options{})
	g.fails(eInval, "poll_oneoff", atVector, atData, 0, atResult)
	g.fails(eInval, "poll_oneoff", 0, 0, maxSubscriptions+1, atResult)
	g.fails(eFault, "poll_oneoff", uint64(len(g.in.memory)-47), atData, 1, atResult)
	g.fails(eFault, "poll_oneoff", atVector, uint64(len(g.in.memory)-31), 1, atResult)
	g.fails(eFault, "poll_oneoff", atVector, atData, 1, uint64(len(g.in.memory)-3))
	// Events over the subscriptions, at any distance, are the guest's problem.
	for distance := uint64(0); distance < 200; distance += 8 {
		n := g.subscribe([]uint64{eventRead, 0}, []uint64{eventRead, 0}, []uint64{eventRead, 0})
		g.must("poll_oneoff", atVector, atVector+distance, n, atResult)
	}
}

func TestStandardInputEnds(t *testing.T) {
	g := newGuest(t, vfs.Options{}, Options{Stdin: []byte("ab")})
	if got := g.read(0, 10); got != "ab" {
		t.Errorf("%q", got)
	}
	if got := g.read(0, 10); got != "" {
		t.Errorf("%q", got)
	}
	g.must("poll_oneoff", atVector, atData, g.subscribe([]uint64{eventRead, 0}), atResult)
	if g.u64(atData+16) != 0 || g.in.memory[atData+24] != 1 {
		t.Error("the end of the input does not show")
	}
}

func TestExit(t *testing.T) {
	g := newGuest(t, vfs.Options{}, Options{})
	exit := func() { importsByName["proc_exit"].Func(g.in, []uint64{3}) }
	var exited *ExitError
	if stop := caught(exit); stop == nil || !errors.As(stop, &exited) || exited.Code != 3 {
		t.Errorf("%v", stop)
	}
	ours := errors.New("ours")
	g.port.system.options.Exit = func(code uint32) {
		if code == 3 {
			panic(engine.Stop{Cause: ours})
		}
	}
	if stop := caught(exit); stop == nil || !errors.Is(stop, ours) {
		t.Errorf("%v", stop)
	}
	g.fails(eNotsup, "proc_raise", 9)
	g.must("sched_yield")
	if g.port.yields != 1 {
		t.Error("nobody else was let in")
	}
}

// An isolate without a system ends its guest.
func TestNoHost(t *testing.T) {
	for _, data := range []any{nil, isolate.Port(isolate.BootPort{})} {
		for _, i := range Imports() {
			in := &fakeInstance{memory: make([]byte, 100), data: data}
			if stop := caught(func() { i.Func(in, make([]uint64, 10)) }); stop == nil || !errors.Is(stop, errNoHost) {
				t.Errorf("%s: %v", i.Name, stop)
			}
		}
	}
}

func TestSockets(t *testing.T) {
	g := newGuest(t, vfs.Options{}, Options{})
	for _, c := range []struct {
		name   string
		params int
	}{{"sock_accept", 3}, {"sock_recv", 6}, {"sock_send", 5}, {"sock_shutdown", 2}} {
		params := make([]uint64, c.params)
		g.fails(eNotsock, c.name, params...)
		params[0] = 44
		g.fails(eBadf, c.name, params...)
	}
}

// What comes from outside of memory is refused before anything happens.
func TestFaults(t *testing.T) {
	g := newGuest(t, vfs.Options{}, Options{Stdin: []byte("in")})
	fd := g.open("tmp/f", vfs.OpenCreate)
	g.write(fd, "content")
	usage := g.port.system.tree.Usage()
	end := uint64(len(g.in.memory))
	at, n := g.path("tmp/g")
	other, m := g.put(atOther, "tmp/h")
	vector, _ := g.vector(4)
	for _, far := range []uint64{end - 1, end, math.MaxUint32} {
		bad := [][]uint64{}
		add := func(name string, params ...uint64) {
			bad = append(bad, params)
			g.fails(eFault, name, params...)
		}
		add("fd_fdstat_get", fd, far)
		add("fd_filestat_get", fd, far)
		add("fd_prestat_get", preopened, far)
		add("fd_read", 0, far, 1, atResult)
		add("fd_read", 0, vector, 1, far)
		add("fd_read", fd, far, 1, atResult)
		add("fd_read", fd, vector, 1, far)
		add("fd_pread", fd, vector, 1, 0, far)
		add("fd_pwrite", fd, vector, 1, 0, far)
		add("fd_write", fd, far, 1, atResult)
		add("fd_write", fd, vector, 1, far)
		add("fd_write", 1, vector, 1, far)
		add("fd_readdir", preopened, far, 100, 0, atResult)
		add("fd_readdir", preopened, atData, 100, 0, far)
		add("fd_seek", fd, 0, 0, far)
		add("fd_tell", fd, far)
		for name, params := range map[string][]uint64{
			"path_create_directory": {3, far, 5}, "path_filestat_get": {3, 0, far, 5, atResult}, "path_filestat_set_times": {3, 0, far, 5, 0, 0, 0},
			"path_link": {3, 0, far, 5, 3, other, m}, "path_open": {3, 0, far, 5, 1, 0, 0, 0, atResult}, "path_readlink": {3, far, 5, atData, 9, atResult},
			"path_remove_directory": {3, far, 5}, "path_rename": {3, far, 5, 3, other, m}, "path_symlink": {far, 5, 3, other, m}, "path_unlink_file": {3, far, 5},
		} {
			add(name, params...)
		}
		add("path_filestat_get", 3, 0, at, n, far)
		add("path_link", 3, 0, at, n, 3, far, 5)
		add("path_open", 3, 0, at, n, 1, 0, 0, 0, far)
		add("path_readlink", 3, at, n, far, 9, atResult)
		add("path_rename", 3, at, n, 3, far, 5)
		add("path_symlink", at, n, 3, far, 5)
		if len(bad) < 25 {
			t.Fatal("too few")
		}
	}
	g.must("fd_prestat_get", preopened, atResult)
	g.fails(eFault, "fd_prestat_dir_name", preopened, end, 1)
	// A range that lies outside, behind one that doesn't.
	g.vector(4, 4)
	binary.LittleEndian.PutUint32(g.in.memory[atVector+8:], uint32(end-3))
	g.fails(eFault, "fd_read", fd, atVector, 2, atResult)
	g.fails(eFault, "fd_write", fd, atVector, 2, atResult)
	g.fails(eInval, "fd_write", fd, atVector, maxVectors+1, atResult)
	g.fails(eInval, "fd_read", 0, atVector, maxVectors+1, atResult)
	if got := g.port.system.tree.Usage(); got != usage || g.port.system.OpenFiles() != 5 || g.stat("tmp/f").size != 7 {
		t.Errorf("something happened: %v %d", got, g.port.system.OpenFiles())
	}
	g.must("fd_tell", fd, atResult)
	if g.u64(atResult) != 7 {
		t.Errorf("the position is %d", g.u64(atResult))
	}
	if got := g.read(0, 9); got != "in" {
		t.Errorf("input was lost: %q", got)
	}
}
