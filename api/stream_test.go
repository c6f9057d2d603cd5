package api

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"mayfly/host/execution"
)

var streamTypes = []string{"text/event-stream", "application/x-ndjson"}

func kinds(events []testEvent) (list []string) {
	for _, e := range events {
		list = append(list, e.Type)
	}
	return list
}

func TestStream(t *testing.T) {
	s := newTestServer(t, nil)
	for _, media := range streamTypes {
		for code, want := range map[string]string{
			"talk":                              "stdout stderr stdout usage end",
			"hello":                             "result usage end",
			"throw x":                           "error usage end",
			"fail":                              "error usage end",
			"artifact a.txt text/plain content": "artifact usage end",
			"show":                              "display display result usage end",
			"showing":                           "display stdout display stdout result usage end",
		} {
			a := s.post(code, "Accept", media).want(200)
			if a.header.Get("Content-Type") != media {
				t.Errorf("type %s", a.header.Get("Content-Type"))
			}
			events := a.events(s)
			if got := strings.Join(kinds(events), " "); got != want {
				t.Fatalf("%s: %s, want %s", code, got, want)
			}
			for i, e := range events {
				if e.Seq != int64(i+1) {
					t.Errorf("%s: event %d has the number %d", code, i+1, e.Seq)
				}
			}
			// The same again from the record, in every form, and from the
			// middle.
			s.idle()
			where := a.header.Get("Content-Location")
			for _, again := range append(streamTypes, "application/json") {
				if got := s.do("GET", where, "", "Accept", again).want(200).events(s); !slices.EqualFunc(got, events, sameEvent) {
					t.Errorf("%s: stored %+v, sent %+v", code, got, events)
				}
				for n := range events {
					got := s.do("GET", where, "", "Accept", again, "Last-Event-ID", string(rune('0'+n))).want(200).events(s)
					if !slices.EqualFunc(got, events[n:], sameEvent) {
						t.Errorf("%s after %d: %+v", code, n, got)
					}
				}
			}
		}
	}
}

func sameEvent(a, b testEvent) bool {
	if a.Artifact != nil && b.Artifact != nil {
		return a.Seq == b.Seq && *a.Artifact == *b.Artifact
	}
	return a.Seq == b.Seq && a.Type == b.Type && a.Text == b.Text && a.Result == b.Result && reflect.DeepEqual(a.Display, b.Display) && a.Outcome == b.Outcome
}

// A synchronous execution can be replayed too, with the same numbers as a
// stream would have had.
func TestStoryOfSync(t *testing.T) {
	s := newTestServer(t, nil)
	for code, want := range map[string]string{
		"hello": "result usage end", "print x": "stdout usage end", "talk": "stdout stderr stdout usage end",
		"throw x": "error usage end", "artifact a.txt text/plain x": "artifact usage end",
		"show": "display display result usage end", "showing": "display stdout display stdout result usage end",
	} {
		x := s.post(code).want(200).execution()
		live := s.do("GET", "/v1/executions/"+x.ID+"/events", "").want(200).events(s)
		s.idle()
		stored := s.do("GET", "/v1/executions/"+x.ID+"/events", "").want(200).events(s)
		if got := strings.Join(kinds(stored), " "); got != want || !slices.EqualFunc(stored, live, sameEvent) {
			t.Errorf("%s: %+v, live %+v", code, stored, live)
		}
	}
}

// Events arrive when they happen, and a reader that comes late gets all.
func TestFollow(t *testing.T) {
	s := newTestServer(t, func(o *Options) { o.Heartbeat = 20 * time.Millisecond })
	for _, media := range streamTypes {
		resp, err := s.client.Do(s.request("POST", "/v1/executions", program("wait "+media), "Accept", media))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		in := bufio.NewReader(resp.Body)
		if e, _ := s.next(media, in); e.Text != "before\n" {
			t.Fatalf("%+v", e)
		}
		if media == "text/event-stream" {
			if e, _ := s.next(media, in); !e.comment {
				t.Fatalf("no heartbeat, but %+v", e)
			}
		}
		late := make(chan []testEvent)
		go func() {
			late <- s.do("GET", resp.Header.Get("Content-Location"), "", "Accept", media).events(s)
		}()
		eventually(t, "both follow", func() bool {
			x := s.runs.get("", receiveLast(s))
			x.mu.Lock()
			defer x.mu.Unlock()
			return x.followers == 2
		})
		close(s.executor.gate(media))
		var rest []string
		for {
			e, ok := s.next(media, in)
			if !ok {
				break
			}
			if !e.comment {
				rest = append(rest, e.Type)
			}
		}
		if got := strings.Join(rest, " "); got != "stdout usage end" {
			t.Errorf("then came %s", got)
		}
		var got []string
		for _, e := range receive(t, late) {
			if !e.comment {
				got = append(got, e.Type)
			}
		}
		if strings.Join(got, " ") != "stdout stdout usage end" {
			t.Errorf("the late one got %v", got)
		}
	}
}

// receiveLast is the id of the only run.
func receiveLast(s *testServer) (id string) {
	s.runs.each(func(x *run) { id = x.id })
	return id
}

// A client that loses its stream resumes where it was, and one that does not
// come back cancels its execution.
func TestResume(t *testing.T) {
	s := newTestServer(t, func(o *Options) { o.ResumeWindow = 300 * time.Millisecond })
	ctx, disconnect := context.WithCancel(t.Context())
	resp, err := s.client.Do(s.request("POST", "/v1/executions", program("wait r"), "Accept", "text/event-stream").WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(resp.Body)
	first, _ := s.next("text/event-stream", in)
	disconnect()
	resp.Body.Close()
	where := resp.Header.Get("Content-Location")

	ctx, disconnect = context.WithCancel(t.Context())
	r := s.request("GET", where, "", "Accept", "text/event-stream", "Last-Event-ID", "1").WithContext(ctx)
	resp, err = s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	// Longer than the window: the reader keeps it alive.
	time.Sleep(400 * time.Millisecond)
	close(s.executor.gate("r"))
	second, _ := s.next("text/event-stream", bufio.NewReader(resp.Body))
	if first.Seq != 1 || second.Seq != 2 || second.Text != "after\n" {
		t.Errorf("%+v, then %+v", first, second)
	}
	disconnect()
	if outcome := receive(t, s.executor.ended); outcome != execution.OK {
		t.Errorf("outcome %s", outcome)
	}

	ctx, disconnect = context.WithCancel(t.Context())
	resp, err = s.client.Do(s.request("POST", "/v1/executions", program("block"), "Accept", "application/x-ndjson").WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	disconnect()
	resp.Body.Close()
	if outcome := receive(t, s.executor.ended); outcome != execution.Canceled {
		t.Errorf("outcome %s", outcome)
	}
	for _, id := range []string{"x", "-1", "1.5", "99999999999999999999"} {
		s.do("GET", where, "", "Last-Event-ID", id).problem(invalidRequest)
	}
	if got := s.do("GET", where+"?after=3", "").want(200).events(s); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

// A client that goes away cancels its execution, and the record says so.
func TestDisconnect(t *testing.T) {
	s := newTestServer(t, nil)
	for _, code := range []string{"block", "quiet x"} {
		for _, accept := range []string{"*/*", "text/event-stream"} {
			ctx, disconnect := context.WithCancel(t.Context())
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				resp, err := s.client.Do(s.request("POST", "/v1/executions", program(code), "Accept", accept).WithContext(ctx))
				if err == nil {
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			}()
			id := receive(t, s.executor.started)
			disconnect()
			<-gone
			if outcome := receive(t, s.executor.ended); outcome != execution.Canceled {
				t.Errorf("%s %s: outcome %s", code, accept, outcome)
			}
			s.idle()
			if x := s.do("GET", "/v1/executions/"+id, "").want(200).execution(); x.Outcome != "canceled" {
				t.Errorf("%s %s: recorded as %s", code, accept, x.Outcome)
			}
		}
	}
}

func TestEventsOfOneUnderWay(t *testing.T) {
	s := newTestServer(t, nil)
	x := s.post("wait e", "Prefer", "respond-async").want(202).execution()
	receive(t, s.executor.started)
	var list struct{ Done bool }
	a := s.do("GET", "/v1/executions/"+x.ID+"/events", "").want(200)
	a.decode(&list)
	if got := a.events(s); list.Done || len(got) != 1 || got[0].Text != "before\n" {
		t.Errorf("%s", a.body)
	}
	if a := s.do(http.MethodHead, "/v1/executions/"+x.ID+"/events", "", "Accept", "text/event-stream").want(200); a.header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("%v", a.header)
	}
	close(s.executor.gate("e"))
	s.idle()
	s.do("GET", "/v1/executions/"+x.ID+"/events", "").want(200).decode(&list)
	if !list.Done {
		t.Error("not done")
	}
}
