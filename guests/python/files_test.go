package python

import (
	"strings"
	"testing"

	"mayfly/host/vfs"
)

// Python's own means find the files of the sandbox as a POSIX system has them.
func TestFiles(t *testing.T) {
	for name, c := range map[string]struct{ source, want string }{
		"open": {`
with open('/tmp/a', 'w') as f: f.write('hello\n' * 3)
with open('/tmp/a', 'a') as f: f.write('more')
with open('/tmp/a', 'r+b') as f:
    f.seek(2); f.write(b'XX'); print(f.seek(0, 2)); f.truncate(5)
print(open('/tmp/a').read())
with open('/tmp/a', 'rb', buffering=0) as f: print(f.seekable(), f.isatty())
`, "22\nheXXo\nTrue False"},
		"errors": {`
import os
def errno(f, *a):
    try: f(*a)
    except OSError as e: print(type(e).__name__, e.strerror)
open('/tmp/a', 'w').close()
errno(open, '/tmp/a', 'x')
errno(open, '/tmp/none/a', 'w')
errno(open, '/tmp')
errno(os.rmdir, '/')
errno(os.mkdir, '/tmp')
errno(os.listdir, '/tmp/a')
errno(os.rename, '/workspace', '/workspace/in')
errno(os.unlink, '/usr/local/lib/python315.zip/os.pyc')
errno(os.rename, '/usr', '/tmp/usr')
errno(open, '/tmp/' + 'n' * 256, 'w')
os.symlink('loop', '/tmp/loop'); errno(os.stat, '/tmp/loop')
errno(open, b'/tmp/\xff', 'w')
`, `FileExistsError File exists
FileNotFoundError No such file or directory
IsADirectoryError Is a directory
OSError Resource busy
FileExistsError File exists
NotADirectoryError Not a directory
OSError Invalid argument
OSError Read-only file system
OSError Read-only file system
OSError Filename too long
OSError Symbolic link loop
OSError Illegal byte sequence`},
		"pathlib and shutil": {`
import os, pathlib, shutil
p = pathlib.Path('/tmp/p/q'); p.mkdir(parents=True); (p / 'f').write_text('x')
(p / 'soft').symlink_to('f'); os.link(p / 'f', p / 'hard')
print((p / 'soft').read_text(), (p / 'soft').resolve(), os.stat(p / 'hard').st_nlink, os.path.samefile(p / 'f', p / 'hard'))
print(sorted(x.name for x in pathlib.Path('/tmp/p').rglob('*')))
(p / 'f').replace(p / 'hard'); print((p / 'f').exists()) # two names of one file: nothing happens
os.unlink(p / 'f'); os.utime(p / 'hard', (1, 2)); s = os.stat(p / 'hard'); print(s.st_nlink, s.st_atime, s.st_mtime)
shutil.copytree('/tmp/p', '/tmp/copy', symlinks=True); shutil.rmtree('/tmp/p'); shutil.move('/tmp/copy', '/workspace/moved')
print(os.listdir('/tmp'), [(d, sorted(x), sorted(y)) for d, x, y in os.walk('/workspace')])
`, `x /tmp/p/q/f 2 True
['f', 'hard', 'q', 'soft']
True
1 1.0 2.0
[] [('/workspace', ['moved'], []), ('/workspace/moved', ['q'], []), ('/workspace/moved/q', [], ['hard', 'soft'])]`},
		"unlinked and temporary": {`
import os, tempfile
f = open('/tmp/u', 'w+'); f.write('live'); f.flush(); os.unlink('/tmp/u'); f.seek(0); print(f.read(), os.fstat(f.fileno()).st_nlink); f.close()
with tempfile.TemporaryDirectory() as d:
    with tempfile.NamedTemporaryFile(dir=d) as f: f.write(b'x'); f.flush(); print(os.path.getsize(f.name))
    with tempfile.TemporaryFile() as f: f.write(b'abc'); f.seek(0); print(f.read())
print(os.path.exists(d), os.listdir('/tmp'))
`, "live 0\n1\nb'abc'\nFalse []"},
		"descriptors": {`
import os
fd = os.open('/tmp/a', os.O_CREAT | os.O_RDWR); os.write(fd, b'abc'); os.pwrite(fd, b'Z', 0)
print(os.pread(fd, 2, 0), os.lseek(fd, 0, 1), os.isatty(fd)); os.ftruncate(fd, 1); os.fsync(fd); print(os.fstat(fd).st_size); os.close(fd)
d = os.open('/tmp', os.O_RDONLY); os.mkdir('x', dir_fd=d); os.rename('x', 'y', src_dir_fd=d, dst_dir_fd=d); print(sorted(os.listdir('/tmp'))); os.rmdir('y', dir_fd=d)
print(os.stat('a', dir_fd=d).st_ino == os.stat('/tmp/a').st_ino)
many = []
try:
    while True: many.append(os.open('/tmp/a', os.O_RDONLY))
except OSError as e: print(e.strerror, 1000 < len(many) < 1024)
`, "b'Zb' 3 False\n1\n['a', 'y']\nTrue\nNo file descriptors available True"},
		"many entries": {`
import os
os.mkdir('/tmp/many')
for i in range(1000): open(f'/tmp/many/file-{i:05}', 'w').close()
n = 0
with os.scandir('/tmp/many') as entries:
    for e in entries:
        n += e.inode() == os.stat(e.path).st_ino; os.unlink(e.path)
os.rmdir('/tmp/many'); print(n)
`, "1000"},
		"databases and archives": {`
import sqlite3, zipfile, tarfile, shelve, os
a, b = sqlite3.connect('/tmp/db'), sqlite3.connect('/tmp/db')
a.execute('create table t(a)'); a.executemany('insert into t values(?)', [(i,) for i in range(2000)]); a.commit()
print(b.execute('select sum(a) from t').fetchone()); a.execute('delete from t where a > 5'); a.commit(); a.execute('vacuum'); print(b.execute('select count(*) from t').fetchone())
a.close(); b.close()
with zipfile.ZipFile('/tmp/z', 'w', zipfile.ZIP_DEFLATED) as z: z.writestr('a/b', 'x' * 10000); z.write('/tmp/db', 'db')
with zipfile.ZipFile('/tmp/z') as z: z.extractall('/tmp/unzipped'); print(z.namelist(), os.path.getsize('/tmp/unzipped/a/b'))
with tarfile.open('/tmp/t', 'w:gz') as z: z.add('/tmp/unzipped', arcname='w')
with tarfile.open('/tmp/t') as z: z.extractall('/tmp/untarred', filter='data'); print(sorted(z.getnames()))
with shelve.open('/tmp/shelf') as s: s['k'] = [1, 2]
with shelve.open('/tmp/shelf') as s: print(s['k'])
`, "(1999000,)\n(6,)\n['a/b', 'db'] 10000\n['w', 'w/a', 'w/a/b', 'w/db']\n[1, 2]"},
		"limits": {`
import os
try:
    with open('/tmp/big', 'wb') as f:
        for i in range(100): f.write(bytes(1 << 20))
except OSError as e: print(e.strerror)
os.unlink('/tmp/big')
with open('/tmp/big', 'wb') as f: print(f.write(bytes(1 << 20)))
`, "No space left on device\n1048576"},
		"modules": {`
import sys, os
sys.path.insert(0, '/workspace'); open('/workspace/mine.py', 'w').write('x = 1'); import mine; print(mine.x, os.listdir('/workspace'))
`, "1 ['mine.py']"},
	} {
		t.Run(name, func(t *testing.T) {
			h := run(t, program{source: c.source})
			if got := strings.TrimSpace(h.stdout.String()); got != c.want || h.failed != nil {
				t.Errorf("got %s\nwant %s\n%s%v", got, c.want, h.stderr.String(), h.failed)
			}
			if name == "databases and archives" && h.system.OpenFiles() != 4 {
				t.Errorf("%d descriptors are open", h.system.OpenFiles())
			}
		})
	}
}

// What a program leaves behind can be encoded, and read by the host.
func TestFilesAfterwards(t *testing.T) {
	h := run(t, program{source: `
open('/artifacts/report.txt', 'w').write('done')
import os
fd = os.open('/tmp/kept', os.O_CREAT | os.O_RDWR); os.write(fd, b'x' * 100); os.unlink('/tmp/kept')
`})
	if h.failed != nil {
		t.Fatal(h.failed)
	}
	if content, err := h.tree.Read("/artifacts/report.txt"); err != nil || string(content) != "done" {
		t.Errorf("%q %v", content, err)
	}
	back, err := vfs.Decode(h.tree.AppendState(nil), vfs.Options{Base: ready(t).layer})
	if err != nil {
		t.Fatal(err)
	}
	if got := back.Usage(); got != h.tree.Usage() || got.Bytes != 104 {
		t.Errorf("usage %v, want %v", got, h.tree.Usage())
	}
}
