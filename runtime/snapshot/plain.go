package snapshot

// plain is room in ordinary memory.
type plain struct{ data []byte }

// write grows the room as contents arrive: a size alone takes nothing.
func (p *plain) write(parts [][]byte, at int64) error {
	for _, part := range parts {
		if end := at + int64(len(part)); end > int64(len(p.data)) {
			p.data = append(p.data, make([]byte, end-int64(len(p.data)))...)
		}
		at += int64(copy(p.data[at:], part))
	}
	return nil
}

func (p *plain) read(parts [][]byte, at int64) error {
	for _, part := range parts {
		n := 0
		if at < int64(len(p.data)) {
			n = copy(part, p.data[at:])
		}
		clear(part[n:])
		at += int64(len(part))
	}
	return nil
}
