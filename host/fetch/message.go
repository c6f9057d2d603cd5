package fetch

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"mayfly/host/op"
)

// A fetchMessage is what the fetch operation comes with. bytes is part of the
// message.
type fetchMessage struct {
	method, url string
	header      []op.Pair
	redirect    byte
	body        byte
	bytes       []byte
}

type writeMessage struct {
	fetch uint32
	end   byte
	bytes []byte
}

// malformed is what an operation fails with whose message can't be read.
func malformed(err error) error { return typeError("%s", err.Error()) }

func decodeFetch(in []byte) (m fetchMessage, err error) {
	r := op.NewReader(in)
	m = fetchMessage{r.Str(), r.Str(), r.Pairs(), r.U8(), r.U8(), r.Bytes()}
	if err := r.Done(); err != nil {
		return fetchMessage{}, malformed(err)
	}
	return m, nil
}

func decodeRead(in []byte) (handle uint32, err error) {
	r := op.NewReader(in)
	handle = r.U32()
	if err := r.Done(); err != nil {
		return 0, malformed(err)
	}
	return handle, nil
}

func decodeWrite(in []byte) (m writeMessage, err error) {
	r := op.NewReader(in)
	m = writeMessage{r.U32(), r.U8(), r.Bytes()}
	if err := r.Done(); err != nil {
		return m, malformed(err)
	}
	if m.end > writeAbort {
		return m, typeError("%d is not an end of a body_write", m.end)
	}
	return m, nil
}

// encodeResponse is the fetch operation's answer. Header names are in lower case
// and sorted; every value that came is there.
func encodeResponse(response *http.Response, r *request, redirected bool, body byte, content []byte, handle uint32) []byte {
	w := op.NewWriter(make([]byte, 0, 512+len(content)))
	w.U32(uint32(response.StatusCode))
	text := ""
	if response.ProtoMajor == 1 { // HTTP/2 has none; net/http fills it in
		_, text, _ = strings.Cut(response.Status, " ")
	}
	w.Str(isomorphic(text))
	shown := *r.url
	shown.Fragment, shown.RawFragment = "", ""
	w.Str(shown.String())
	if redirected {
		w.U8(1)
	} else {
		w.U8(0)
	}
	list := make([]op.Pair, 0, len(response.Header))
	for name, values := range response.Header {
		name = strings.ToLower(name)
		for _, value := range values {
			list = append(list, op.Pair{Name: name, Value: isomorphic(value)})
		}
	}
	slices.SortStableFunc(list, func(a, b op.Pair) int { return strings.Compare(a.Name, b.Name) })
	w.Pairs(list)
	w.U8(body)
	w.Bytes(content)
	w.U32(handle)
	return w.Message()
}

// encodeChunk is body_read's answer.
func encodeChunk(end bool, chunk []byte) []byte {
	w := op.NewWriter(make([]byte, 0, 5+len(chunk)))
	if end {
		w.U8(1)
	} else {
		w.U8(0)
	}
	w.Bytes(chunk)
	return w.Message()
}

// encodeError is an error record; an error with a code has it on its cause, as
// node's fetch does.
func encodeError(err error) []byte { return op.EncodeError(errorRecord(err, fetchFailed)) }

// fetchFailed is what errors of the network begin with.
const fetchFailed = "fetch failed: "

// errorRecord is an error as the guest gets it; prefix is what errors of the
// network begin with.
func errorRecord(err error, prefix string) *op.ErrorRecord {
	e := &guestError{name: "TypeError", message: strings.TrimSuffix(prefix, ": ")}
	errors.As(err, &e)
	text, network := strings.CutPrefix(e.message, fetchFailed)
	if network {
		text = prefix + text
	}
	record := &op.ErrorRecord{Name: e.name, Message: text}
	if e.code != "" {
		record.Cause = &op.ErrorRecord{Name: "Error", Code: e.code, Message: strings.TrimPrefix(text, prefix)}
	}
	return record
}
