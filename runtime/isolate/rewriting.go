package isolate

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"mayfly/runtime/snapshot"
	"mayfly/runtime/wasm"
)

// A rewriting is what the passes made of a guest's module, as the cache keeps
// it: rewriting a large guest takes longer than all else that is left to do
// with a warm cache. In a file it is a magic number, the CRC-32C of what
// follows, the length of a header in JSON, the header, the module and its
// stage-0 image.
type rewriting struct {
	Digest  snapshot.Digest // of the module and the image
	Globals []string
	Start   string
	Wasm    int // bytes
	Image   int

	wasm, image []byte
}

const rewritingMagic = "mayfly rewriting 1\n"

var errRewriting = errors.New("a kept module is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// rewritingPath is where the cache keeps what the passes made of a module.
func rewritingPath(name string, built []byte, passes wasm.Options, cache string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d %+v %d\n", wasm.Version, passes, len(built))
	h.Write(built)
	return filepath.Join(cache, "modules", name+"-"+hex.EncodeToString(h.Sum(nil)[:16])+".module")
}

// rewrite passes a module through the passes.
func rewrite(built []byte, passes wasm.Options) (*rewriting, error) {
	result, err := wasm.Rewrite(built, passes)
	if err != nil {
		return nil, err
	}
	r := &rewriting{
		Globals: result.Globals, Start: result.Start, Wasm: len(result.Wasm), Image: len(result.Image),
		wasm: result.Wasm, image: result.Image,
	}
	h := sha256.New()
	for _, part := range [][]byte{r.wasm, r.image} {
		fmt.Fprintf(h, "%d\n", len(part))
		h.Write(part)
	}
	r.Digest = snapshot.Digest(h.Sum(nil))
	return r, nil
}

func loadRewriting(path string) (*rewriting, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseRewriting(b)
}

func parseRewriting(b []byte) (*rewriting, error) {
	const fixed = len(rewritingMagic) + 8
	if len(b) < fixed || string(b[:len(rewritingMagic)]) != rewritingMagic {
		return nil, errRewriting
	}
	sum, length := binary.LittleEndian.Uint32(b[fixed-8:]), binary.LittleEndian.Uint32(b[fixed-4:])
	if crc32.Checksum(b[fixed-4:], castagnoli) != sum || int64(length) > int64(len(b)-fixed) {
		return nil, errRewriting
	}
	var r rewriting
	if err := json.Unmarshal(b[fixed:fixed+int(length)], &r); err != nil {
		return nil, errRewriting
	}
	rest := b[fixed+int(length):]
	if r.Wasm < 0 || r.Image < 0 || r.Wasm > len(rest) || r.Image != len(rest)-r.Wasm {
		return nil, errRewriting
	}
	r.wasm, r.image = rest[:r.Wasm:r.Wasm], rest[r.Wasm:]
	return &r, nil
}

// store writes the file under a temporary name and renames it.
func (r *rewriting) store(path string) error {
	header, err := json.Marshal(r)
	if err != nil {
		return err
	}
	header = append(binary.LittleEndian.AppendUint32(nil, uint32(len(header))), header...)
	sum := uint32(0)
	for _, part := range [][]byte{header, r.wasm, r.image} {
		sum = crc32.Update(sum, castagnoli, part)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-*.tmp")
	if err != nil {
		return err
	}
	for _, part := range [][]byte{[]byte(rewritingMagic), binary.LittleEndian.AppendUint32(nil, sum), header, r.wasm, r.image} {
		if err == nil {
			_, err = f.Write(part)
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
