package snapshot

func hasScan() bool { return scanWorks() }

func (m *mapping) reach() []byte { return m.all }
