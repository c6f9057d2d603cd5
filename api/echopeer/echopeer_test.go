package echopeer_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mayfly/api/echopeer"
)

func TestAnswersAsAnExecutionEnds(t *testing.T) {
	server := httptest.NewServer(echopeer.New("hello"))
	defer server.Close()
	for _, c := range []struct {
		body   string
		status int
	}{
		{`{"language":"javascript","code":"1"}`, http.StatusOK},
		{`{"language":"javascript"}`, http.StatusUnprocessableEntity},
		{`{"language":`, http.StatusBadRequest},
	} {
		response, err := http.Post(server.URL+"/v1/executions", "application/json", strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", c.body, response.StatusCode, c.status)
		}
		if c.status != http.StatusOK {
			continue
		}
		var got struct {
			Outcome, Result string
			Runtime         struct{ Language string }
		}
		if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
		if got.Outcome != "ok" || got.Result != "hello" || got.Runtime.Language != "javascript" {
			t.Errorf("got %+v", got)
		}
	}
}
