package pipe

import "io"

// chunkSize is how much is read at once of a source that blocks.
const chunkSize = 32 << 10

// From is a pipe of what r has: it is read, on a goroutine of its own, when the
// pipe first is, and closed at its end.
func From(r io.ReadCloser, length int64) *Pipe {
	p := &Pipe{length: length}
	p.source = func() {
		defer r.Close()
		for {
			b := make([]byte, chunkSize)
			n, err := r.Read(b)
			if n > 0 {
				room := make(chan error, 1)
				p.Write(b[:n], func(err error) { room <- err })
				if <-room != nil {
					return
				}
			}
			if err == io.EOF {
				p.End(nil)
				return
			}
			if err != nil {
				p.End(err)
				return
			}
		}
	}
	p.unread = func(error) { r.Close() }
	return p
}

// Reader reads the pipe by blocking. Close gives up what was not read.
func (p *Pipe) Reader() io.ReadCloser { return &reader{pipe: p} }

type reader struct {
	pipe *Pipe
	rest []byte
	err  error
}

type chunk struct {
	bytes []byte
	err   error
}

func (r *reader) Read(b []byte) (int, error) {
	if len(r.rest) == 0 && r.err == nil {
		next := make(chan chunk, 1)
		r.pipe.Read(func(b []byte, err error) { next <- chunk{b, err} })
		c := <-next
		r.rest, r.err = c.bytes, c.err
	}
	if len(r.rest) == 0 {
		return 0, r.err
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *reader) Close() error {
	r.pipe.Cancel(nil)
	return nil
}
