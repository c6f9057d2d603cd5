package snapshot

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Most pages that a program changes differ from the image in a few words, as
// reference counts. Such a page is kept as a patch, little endian:
//
//	page:u32 count:u16 { offset:u16 length:u16 bytes[length] }
//
// with the pieces in order, not touching each other. A list of patches is in
// the order of pages.
const (
	patchHeader = 6
	pieceHeader = 4
	// mostPatch is the longest patch in bytes: of what is longer the page is
	// kept, so that it can be mapped.
	mostPatch = 1024
	word      = 8
)

// appendPatch appends the patch that makes have of what the image has: both are
// whole pages. ok is false, and out as it was, if it would be too long.
func appendPatch(out []byte, page uint32, have, image []byte) (_ []byte, ok bool) {
	const stride = 64 // what is compared at once where nothing differs
	differ := func(at int) uint64 {
		return binary.LittleEndian.Uint64(have[at:]) ^ binary.LittleEndian.Uint64(image[at:])
	}
	start := len(out)
	out = binary.LittleEndian.AppendUint32(out, page)
	out = append(out, 0, 0)
	count := 0
	for at := 0; at < PageSize; {
		if at%stride == 0 && bytes.Equal(have[at:at+stride], image[at:at+stride]) {
			at += stride
			continue
		}
		d := differ(at)
		if d == 0 {
			at += word
			continue
		}
		// From the first byte that differs to the last of the words that do.
		from, to := at+bits.TrailingZeros64(d)/8, 0
		for d != 0 {
			to = at + word - bits.LeadingZeros64(d)/8
			if at += word; at == PageSize {
				break
			}
			d = differ(at)
		}
		if len(out)-start+pieceHeader+to-from > mostPatch {
			return out[:start], false
		}
		out = binary.LittleEndian.AppendUint16(out, uint16(from))
		out = binary.LittleEndian.AppendUint16(out, uint16(to-from))
		out = append(out, have[from:to]...)
		count++
	}
	binary.LittleEndian.PutUint16(out[start+4:], uint16(count))
	return out, true
}

// eachPatch calls f with the pieces of patches, which are sound.
func eachPatch(patches []byte, f func(page uint32, pieces []byte)) {
	for len(patches) > 0 {
		page := binary.LittleEndian.Uint32(patches)
		n := int(binary.LittleEndian.Uint16(patches[4:]))
		patches = patches[patchHeader:]
		end := 0
		for range n {
			end += pieceHeader + int(binary.LittleEndian.Uint16(patches[end+2:]))
		}
		f(page, patches[:end])
		patches = patches[end:]
	}
}

// applyPieces writes the pieces of a patch into a page.
func applyPieces(page, pieces []byte) {
	for len(pieces) > 0 {
		at := int(binary.LittleEndian.Uint16(pieces))
		end := pieceHeader + int(binary.LittleEndian.Uint16(pieces[2:]))
		copy(page[at:], pieces[pieceHeader:end])
		pieces = pieces[end:]
	}
}

// checkPatches says if patches that were read are sound: none of the pages of
// runs, all of a memory of so many pages. It counts the patched pages.
func checkPatches(patches []byte, runs []run, pages uint32) (count int64, err error) {
	for next := uint32(0); len(patches) > 0; count++ {
		if len(patches) < patchHeader {
			return 0, corrupt("a patch of %d bytes", len(patches))
		}
		page := binary.LittleEndian.Uint32(patches)
		n := int(binary.LittleEndian.Uint16(patches[4:]))
		patches = patches[patchHeader:]
		for len(runs) > 0 && runs[0].end() <= page {
			runs = runs[1:]
		}
		if page < next || page >= pages || n == 0 || len(runs) > 0 && runs[0].start <= page {
			return 0, corrupt("a patch of page %d of %d", page, pages)
		}
		next = page + 1
		for past := 0; n > 0; n-- {
			if len(patches) < pieceHeader {
				return 0, corrupt("a patch is cut off")
			}
			at := int(binary.LittleEndian.Uint16(patches))
			length := int(binary.LittleEndian.Uint16(patches[2:]))
			if at < past || length == 0 || at+length > PageSize || pieceHeader+length > len(patches) {
				return 0, corrupt("a patch of bytes %d+%d", at, length)
			}
			past = at + length
			patches = patches[pieceHeader+length:]
		}
	}
	return count, nil
}
