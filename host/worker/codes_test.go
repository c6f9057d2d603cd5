package worker

import (
	"runtime"
	"testing"
	"time"
)

func TestTextOfCodeIsKnown(t *testing.T) {
	var s codes
	p := simple()
	p.env = []byte{0xa0}
	message := p.encode()
	first, err := s.decode(message, today)
	if err != nil {
		t.Fatal(err)
	}
	clear(message) // it was the guest's memory
	p.env = []byte{0x01}
	again, err := s.decode(p.encode(), today)
	if err != nil {
		t.Fatal(err)
	}
	if again.Code != first.Code {
		t.Error("the same code is kept twice")
	}
	if got := string(again.Code.Modules["main.js"].Content); got != "export default {}" {
		t.Errorf("the code is %q", got)
	}
	if got := again.Env.Message; len(got) != 1 || got[0] != 1 {
		t.Errorf("the second one's env is %x", got)
	}
	p.modules[0].content = []byte("export default []")
	other, err := s.decode(p.encode(), today)
	if err != nil {
		t.Fatal(err)
	}
	if other.Code == first.Code || string(other.Code.Modules["main.js"].Content) != "export default []" {
		t.Error("other code is taken for known code")
	}
	// Known code doesn't hide what is wrong with the rest.
	p.limits[0] = -1
	if _, err := s.decode(p.encode(), today); err == nil {
		t.Error("a wrong limit is accepted with known code")
	}
	runtime.KeepAlive(first)
	runtime.KeepAlive(again)
	runtime.KeepAlive(other)
	first, again, other = nil, nil, nil
	for range 100 {
		runtime.GC()
		s.mu.Lock()
		n := len(s.texts)
		s.mu.Unlock()
		if n == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("the text of code that nobody has is still known")
}
