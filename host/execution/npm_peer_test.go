package execution_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// npmPeer is the server that clients among the packages talk to: an echo, and
// enough of two model APIs.
func npmPeer(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch path := r.URL.Path; {
	case path == "/echo":
		headers := map[string]string{}
		for name := range r.Header {
			headers[strings.ToLower(name)] = r.Header.Get(name)
		}
		answerJSON(w, 200, map[string]any{"method": r.Method, "url": r.RequestURI, "headers": headers, "body": string(body)})
	case strings.HasPrefix(path, "/status/"):
		status, _ := strconv.Atoi(strings.TrimPrefix(path, "/status/"))
		w.WriteHeader(status)
	case path == "/slow":
		select {
		case <-r.Context().Done():
		case <-time.After(5 * time.Second):
		}
	case path == "/bytes":
		_, _ = w.Write([]byte{0, 1, 2, 3, 255})
	case path == "/v1/chat/completions":
		npmChat(w, body)
	case path == "/v1/files":
		npmUpload(w, r, body)
	case path == "/v1/messages":
		npmMessages(w, body)
	default:
		answerJSON(w, 404, map[string]any{"error": map[string]any{"message": "no such model", "type": "not_found"}})
	}
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

type npmPrompt struct {
	Model    string
	Stream   bool
	Messages []struct{ Role, Content string }
}

func (p npmPrompt) last() string {
	if len(p.Messages) == 0 {
		return ""
	}
	return p.Messages[len(p.Messages)-1].Content
}

// serverSentEvent writes one event, in two pieces.
func serverSentEvent(w http.ResponseWriter, name string, data any) {
	text, ok := data.(string)
	if !ok {
		b, _ := json.Marshal(data)
		text = string(b)
	}
	if name != "" {
		fmt.Fprintf(w, "event: %s\n", name)
	}
	half := len(text) / 2
	fmt.Fprintf(w, "data: %s", text[:half])
	w.(http.Flusher).Flush()
	fmt.Fprintf(w, "%s\n\n", text[half:])
	w.(http.Flusher).Flush()
}

func npmChat(w http.ResponseWriter, body []byte) {
	var p npmPrompt
	if err := json.Unmarshal(body, &p); err != nil {
		answerJSON(w, 400, map[string]any{"error": map[string]any{"message": err.Error()}})
		return
	}
	if !p.Stream {
		answerJSON(w, 200, map[string]any{
			"id": "1", "object": "chat.completion", "model": p.Model, "usage": map[string]int{"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
			"choices": []any{map[string]any{"index": 0, "finish_reason": "stop", "message": map[string]string{"role": "assistant", "content": "you said " + p.last()}}},
		})
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for _, part := range []string{"1", " 2", " 3", " ä"} {
		serverSentEvent(w, "", map[string]any{"id": "1", "object": "chat.completion.chunk", "choices": []any{map[string]any{"index": 0, "delta": map[string]string{"content": part}}}})
	}
	serverSentEvent(w, "", "[DONE]")
}

func npmUpload(w http.ResponseWriter, r *http.Request, body []byte) {
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	file, header, err := r.FormFile("file")
	if err != nil || r.FormValue("purpose") != "batch" {
		answerJSON(w, 400, map[string]any{"error": map[string]any{"message": fmt.Sprint(err)}})
		return
	}
	defer file.Close()
	answerJSON(w, 200, map[string]any{"id": "f", "object": "file", "filename": header.Filename, "bytes": header.Size, "purpose": "batch"})
}

func npmMessages(w http.ResponseWriter, body []byte) {
	var p npmPrompt
	if err := json.Unmarshal(body, &p); err != nil || p.Model == "bad" {
		answerJSON(w, 400, map[string]any{"type": "error", "error": map[string]any{"type": "invalid_request_error", "message": "bad model"}})
		return
	}
	message := map[string]any{"id": "m", "type": "message", "role": "assistant", "model": p.Model, "stop_reason": nil, "content": []any{}, "usage": map[string]int{"input_tokens": 1, "output_tokens": 1}}
	if !p.Stream {
		message["stop_reason"], message["content"] = "end_turn", []any{map[string]string{"type": "text", "text": "you said " + p.last()}}
		answerJSON(w, 200, message)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	serverSentEvent(w, "message_start", map[string]any{"type": "message_start", "message": message})
	serverSentEvent(w, "content_block_start", map[string]any{"type": "content_block_start", "index": 0, "content_block": map[string]string{"type": "text", "text": ""}})
	for _, part := range []string{"1", " 2", " 3"} {
		serverSentEvent(w, "content_block_delta", map[string]any{"type": "content_block_delta", "index": 0, "delta": map[string]string{"type": "text_delta", "text": part}})
	}
	serverSentEvent(w, "content_block_stop", map[string]any{"type": "content_block_stop", "index": 0})
	serverSentEvent(w, "message_delta", map[string]any{"type": "message_delta", "delta": map[string]any{"stop_reason": "end_turn"}, "usage": map[string]int{"output_tokens": 3}})
	serverSentEvent(w, "message_stop", map[string]any{"type": "message_stop"})
}
