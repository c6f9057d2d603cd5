package fs

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mayfly/storage"
)

// crashFolder names the environment variable by which the child process is
// told what to do.
const crashFolder = "STORAGE_FS_CRASH_FOLDER"

// crashContent is what belongs to a key and a version: small, large or empty.
func crashContent(key string, version int) []byte {
	r := rand.New(rand.NewPCG(uint64(version), uint64(len(key))))
	sizes := []int{0, 10, 3000, 20 << 10, 150 << 10}
	line := fmt.Sprintf("%s version %d\n", key, version)
	return bytes.Repeat([]byte(line), sizes[r.IntN(len(sizes))]/len(line)+version%2)
}

// writeUntilKilled is the child: it puts, overwrites and deletes, and prints
// what was acknowledged.
func writeUntilKilled(folder string) {
	ctx := context.Background()
	s, err := Open(ctx, folder, Options{})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	b, err := s.Bucket(ctx, "artifacts")
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	var mu sync.Mutex
	say := func(words ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(words...) // not buffered: what is said is with the parent
	}
	start := int(time.Now().UnixNano() / 1000 % 1e9)
	for w := range 4 {
		go func() {
			for version := start; ; version++ {
				key := fmt.Sprintf("w%d/k%d", w, version%20)
				if version%7 == 3 {
					say("begin", key, -1)
					if err := b.Delete(ctx, key); err != nil {
						say("error", err)
					}
					say("done", key, -1)
					continue
				}
				say("begin", key, version)
				if err := crashWrite(ctx, b, key, version); err != nil {
					say("error", err)
				}
				say("done", key, version)
			}
		}()
	}
	select {}
}

// crashWrite puts, uploads, or copies what is a put of the same.
func crashWrite(ctx context.Context, b *Bucket, key string, version int) error {
	options := storage.PutOptions{Metadata: map[string]string{"version": strconv.Itoa(version)}}
	body := bytes.NewReader(crashContent(key, version))
	switch version % 5 {
	case 1:
		upload, err := b.CreateUpload(ctx, key, options)
		if err != nil {
			return err
		}
		p, err := b.UploadPart(ctx, key, upload, 1, body, storage.PartOptions{})
		if err != nil {
			return err
		}
		_, err = b.CompleteUpload(ctx, key, upload, []storage.Part{p}, storage.CompleteOptions{})
		return err
	case 2:
		if _, err := b.Put(ctx, "copied/"+key, body, options); err != nil {
			return err
		}
		_, err := b.Copy(ctx, key, "copied/"+key, storage.CopyOptions{})
		return err
	}
	_, err := b.Put(ctx, key, body, options)
	return err
}

// TestKilledProcessLosesNothing kills a writing process again and again: what
// it had acknowledged is there, and what is there is whole.
func TestKilledProcessLosesNothing(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	folder := t.TempDir()
	// What a key may hold: the version that was acknowledged last (-1: none),
	// or one whose write was begun and not acknowledged.
	allowed := map[string][]int{}
	acknowledged := 0
	for range rounds {
		acknowledged += crashRound(t, folder, allowed)
		checkAfterCrash(t, folder, allowed)
		if t.Failed() {
			return
		}
	}
	if acknowledged < rounds*5 {
		t.Fatalf("only %d writes were acknowledged: the test shows nothing", acknowledged)
	}
	t.Logf("%d writes acknowledged in %d rounds", acknowledged, rounds)
}

func crashRound(t *testing.T, folder string, allowed map[string][]int) (acknowledged int) {
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), crashFolder+"="+folder)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	life := time.Duration(30+rand.IntN(300)) * time.Millisecond
	lines := bufio.NewScanner(out)
	var timer *time.Timer
	for lines.Scan() {
		if timer == nil { // the first line: it is at work
			timer = time.AfterFunc(life, func() { child.Process.Kill() })
		}
		word, rest, _ := strings.Cut(lines.Text(), " ")
		key, number, _ := strings.Cut(rest, " ")
		version, err := strconv.Atoi(number)
		if err != nil || word == "error" {
			t.Errorf("the child says %q", lines.Text())
			child.Process.Kill()
			continue
		}
		switch word {
		case "begin":
			if allowed[key] == nil {
				allowed[key] = []int{-1}
			}
			allowed[key] = append(allowed[key], version)
		case "done":
			allowed[key] = []int{version}
			acknowledged++
		}
	}
	child.Wait() // "signal: killed"
	if timer == nil {
		t.Fatal("the child did nothing")
	}
	timer.Stop()
	return acknowledged
}

func checkAfterCrash(t *testing.T, folder string, allowed map[string][]int) {
	t.Helper()
	ctx := t.Context()
	s, err := Open(ctx, folder, Options{OrphanGrace: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := openBucket(t, s)
	report, err := s.Recovery(ctx)
	if err != nil || len(report.Damaged) > 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	listed := map[string]bool{}
	l, err := b.List(ctx, storage.ListOptions{})
	if err != nil || l.Cursor != "" {
		t.Fatal(l.Cursor, err)
	}
	for _, o := range l.Objects {
		if strings.HasPrefix(o.Key, "copied/") {
			continue // only the copy was announced
		}
		listed[o.Key] = true
		c, err := b.Get(ctx, o.Key, storage.GetOptions{})
		if err != nil {
			t.Errorf("%s is listed, but %v", o.Key, err)
			continue
		}
		got, err := io.ReadAll(c.Body)
		c.Body.Close()
		version, convErr := strconv.Atoi(c.Metadata["version"])
		if err != nil || convErr != nil || !bytes.Equal(got, crashContent(o.Key, version)) {
			t.Errorf("%s is not whole: %v %v", o.Key, err, convErr)
		}
		if !contains(allowed[o.Key], version) {
			t.Errorf("%s has version %d, allowed are %v", o.Key, version, allowed[o.Key])
		}
		allowed[o.Key] = []int{version}
	}
	for key, versions := range allowed {
		if listed[key] {
			continue
		}
		if !contains(versions, -1) {
			t.Errorf("%s is gone, allowed are %v", key, versions)
		}
		allowed[key] = []int{-1}
	}
	wantTidy(t, s)
}

func contains(list []int, n int) bool {
	for _, m := range list {
		if m == n {
			return true
		}
	}
	return false
}

// wantTidy demands that every data file has its row, and that nothing
// temporary is left.
func wantTidy(t *testing.T, s *Store) {
	t.Helper()
	if _, err := s.Recovery(context.Background()); err != nil {
		t.Fatal(err)
	}
	temporary, err := s.data.fs.List(temporaryFolder)
	if err != nil || len(temporary) > 0 {
		t.Errorf("temporary files are left: %v, %v", temporary, err)
	}
	files := 0
	for i := range folders {
		entries, err := s.data.fs.List(fmt.Sprintf("%s/%02x", dataFolder, i))
		if err != nil {
			t.Fatal(err)
		}
		files += len(entries)
	}
	var rows int
	err = s.db.Reader().QueryRow("SELECT (SELECT count(*) FROM objects WHERE file IS NOT NULL) + (SELECT count(*) FROM parts)").Scan(&rows)
	if err != nil || rows != files {
		t.Errorf("%d data files, %d rows that speak of one: %v", files, rows, err)
	}
	var contents int
	err = s.db.Reader().QueryRow("SELECT (SELECT count(*) FROM contents) - (SELECT count(*) FROM objects WHERE file IS NULL)").Scan(&contents)
	if err != nil || contents != 0 {
		t.Errorf("%d contents too many: %v", contents, err)
	}
	if len(s.data.pending) > 0 {
		t.Errorf("%d files are pending for ever", len(s.data.pending))
	}
}
