//go:build !linux

package snapshot

func hasScan() bool  { return false }
func hasTrack() bool { return false }
