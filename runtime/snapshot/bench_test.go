package snapshot

import (
	"fmt"
	"testing"
)

// BenchmarkReset lives and resets: each life changes a number of pages of an
// image of 4 MiB, a third of them beyond it. RunParallel gives each goroutine
// its own slot.
func BenchmarkReset(b *testing.B) {
	img, err := NewImage(Digest{}, testContents(64*wasmPage), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer img.Close()
	const size = 4096 * wasmPage
	for _, k := range kinds() {
		for _, pages := range []int{0, 16, 46, 144, 2000} {
			life := func(m *Memory, i int) error {
				all := m.Bytes()
				for p := range pages {
					at := p * 5 % 1024 * PageSize // scattered over the image
					if p%3 == 2 || pages > 1000 && p%2 == 0 {
						at = int(img.Len()) + p/3*PageSize // the heap's end
					}
					all[at+i%8]++
				}
				_, err := m.Reset()
				return err
			}
			b.Run(fmt.Sprintf("%s/pages=%d", k.name, pages), func(b *testing.B) {
				b.RunParallel(func(pb *testing.PB) {
					m, err := NewMemory(img, size, k.options)
					if err != nil {
						b.Error(err)
						return
					}
					defer m.Close()
					for i := 0; pb.Next(); i++ {
						if err := life(m, i); err != nil {
							b.Error(err)
							return
						}
					}
				})
			})
		}
	}
}

// BenchmarkFirstLife makes a memory, loads from a part of an image of 4 MiB,
// changes pages, resets and closes.
func BenchmarkFirstLife(b *testing.B) {
	img, err := NewImage(Digest{}, testContents(64*wasmPage), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer img.Close()
	for _, k := range kinds() {
		for _, pages := range []int{0, 300} {
			b.Run(fmt.Sprintf("%s/pages=%d", k.name, pages), func(b *testing.B) {
				for b.Loop() {
					m, err := NewMemory(img, 4096*wasmPage, k.options)
					if err != nil {
						b.Fatal(err)
					}
					sum := byte(0)
					for p := range pages {
						at := p * 7 % 1024 * PageSize
						if sum += m.Bytes()[at]; p%6 == 0 {
							m.Bytes()[at] = sum
						}
					}
					if _, err := m.Reset(); err != nil {
						b.Fatal(err)
					}
					if err := m.Close(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkPatch takes the patch of a page in which some words differ.
func BenchmarkPatch(b *testing.B) {
	image := testContents(PageSize)
	for _, words := range []int{1, 20, 200} {
		b.Run(fmt.Sprintf("words=%d", words), func(b *testing.B) {
			page := append([]byte(nil), image...)
			for i := range words {
				page[i*17%512*8]++
			}
			var out []byte
			for b.Loop() {
				out, _ = appendPatch(out[:0], 1, page, image)
			}
		})
	}
}
