package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"mayfly/storage/usage"
)

// Usage counts what is used; *usage.Recorder is one. See there for what each
// method does and fails with.
type Usage interface {
	Record(e usage.Entry)
	Usage(ctx context.Context, q usage.Query) ([]usage.Row, error)
	Cost(ctx context.Context, q usage.Query, p *usage.Prices) (usage.Cost, error)
	Dynamics(ctx context.Context, tenant, parent string, day time.Time, after string, limit int) ([]usage.Dynamic, error)
}

var _ Usage = (*usage.Recorder)(nil)

// A timeParameter reads a time of a query: RFC 3339, or a day.
func timeParameter(values url.Values, name string, otherwise time.Time) (time.Time, *FieldError) {
	text := values.Get(name)
	if text == "" {
		return otherwise, nil
	}
	for _, layout := range [...]string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1970 && t.Year() < 10000 {
			return t.UTC(), nil
		}
	}
	return otherwise, &FieldError{Pointer: name, Detail: fmt.Sprintf("%q is neither a time as 2026-01-31T12:00:00Z nor a day as 2026-01-31", text)}
}

// usageFields are what rows can be told apart by.
var usageFields = []string{usage.ByTenant, usage.ByParent, usage.ByWorker}

// amounts are usage.Amounts as they are answered.
type amounts struct {
	Requests       int64   `json:"requests"`
	Events         int64   `json:"events"`
	Errors         int64   `json:"errors"`
	Subrequests    int64   `json:"subrequests"`
	CPUMs          float64 `json:"cpu_ms"`
	WallMs         float64 `json:"wall_ms"`
	DynamicWorkers int64   `json:"dynamic_workers"`
}

func amountsOf(a *usage.Amounts) amounts {
	return amounts{a.Requests, a.Events, a.Errors, a.Subrequests, a.CPU.Seconds() * 1e3, a.Wall.Seconds() * 1e3, a.Dynamics}
}

type usageRow struct {
	Start  string `json:"start"`
	Tenant string `json:"tenant,omitempty"`
	Parent string `json:"parent,omitempty"`
	Worker string `json:"worker,omitempty"`
	amounts
	Kinds    map[string]int64 `json:"kinds"`
	Outcomes map[string]int64 `json:"outcomes"`
}

type costAnswer struct {
	Currency       string  `json:"currency"`
	Total          float64 `json:"total"`
	Requests       float64 `json:"requests"`
	CPU            float64 `json:"cpu"`
	DynamicWorkers float64 `json:"dynamic_workers"`
}

// getUsage is GET /v1/usage.
func (s *Server) getUsage(c echo.Context, who principal) error {
	if s.options.Usage == nil {
		return newProblem(notFound, "This server does not count usage.")
	}
	q, problem := query(c, who, "tenant", "from", "to", "step", "by", "parent", "worker")
	if problem != nil {
		return problem
	}
	values := c.QueryParams()
	now := s.options.Now().UTC()
	asked := usage.Query{Tenant: q.tenant, Parent: values.Get("parent"), Worker: values.Get("worker"), Step: usage.Day, By: usageFields}
	var wrong []FieldError
	var failed *FieldError
	if asked.From, failed = timeParameter(values, "from", time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)); failed != nil {
		wrong = append(wrong, *failed)
	}
	if asked.To, failed = timeParameter(values, "to", now.Truncate(time.Hour).Add(time.Hour)); failed != nil {
		wrong = append(wrong, *failed)
	}
	if len(wrong) == 0 && !asked.From.Before(asked.To) {
		wrong = append(wrong, FieldError{Pointer: "to", Detail: "must be after from"})
	}
	switch step := values.Get("step"); step {
	case "":
	case string(usage.Hour), string(usage.Day), string(usage.Month):
		asked.Step = usage.Step(step)
	case "all":
		asked.Step = ""
	default:
		wrong = append(wrong, FieldError{Pointer: "step", Detail: "must be hour, day, month or all"})
	}
	if by, given := values["by"]; given {
		asked.By = nil
		for name := range strings.SplitSeq(by[0], ",") {
			if name != "" && !slices.Contains(usageFields, name) {
				wrong = append(wrong, FieldError{Pointer: "by", Detail: fmt.Sprintf("%q is none of %s", name, strings.Join(usageFields, ", "))})
			}
			asked.By = append(asked.By, name)
		}
	}
	if len(wrong) > 0 {
		return invalid(wrong)
	}
	rows, err := s.options.Usage.Usage(c.Request().Context(), asked)
	if errors.Is(err, usage.ErrTooMany) {
		return invalid([]FieldError{{Pointer: "step", Detail: err.Error()}})
	}
	if err != nil {
		return err
	}
	total := usage.Sum(rows)
	answer := struct {
		From  time.Time   `json:"from"`
		To    time.Time   `json:"to"`
		Step  string      `json:"step"`
		Usage []usageRow  `json:"usage"`
		Total amounts     `json:"total"`
		Cost  *costAnswer `json:"cost,omitempty"`
	}{From: asked.From, To: asked.To, Step: string(asked.Step), Usage: make([]usageRow, 0, len(rows)), Total: amountsOf(&total)}
	if answer.Step == "" {
		answer.Step = "all"
	}
	for i := range rows {
		r := &rows[i]
		answer.Usage = append(answer.Usage, usageRow{r.Start.Format(time.RFC3339), r.Tenant, r.Parent, r.Worker, amountsOf(&r.Amounts), r.Kinds, r.Outcomes})
	}
	if p := s.options.Prices; p != nil {
		cost, err := s.options.Usage.Cost(c.Request().Context(), asked, p)
		if err != nil {
			return err
		}
		answer.Cost = &costAnswer{p.Currency, cost.Total(), cost.Requests, cost.CPU, cost.DynamicWorkers}
		if p.Currency == "" {
			answer.Cost.Currency = "USD"
		}
	}
	b, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return writeJSON(c.Response(), http.StatusOK, b)
}

// listDynamics is GET /v1/usage/dynamic-workers.
func (s *Server) listDynamics(c echo.Context, who principal) error {
	if s.options.Usage == nil {
		return newProblem(notFound, "This server does not count usage.")
	}
	q, problem := query(c, who, "tenant", "parent", "day", "cursor", "limit")
	if problem != nil {
		return problem
	}
	if q.tenant == "" {
		q.tenant = anonymousTenant
	}
	values := c.QueryParams()
	parent := values.Get("parent")
	if parent == "" {
		return invalid([]FieldError{{Pointer: "parent", Detail: "required: the deployed worker that made the dynamic ones"}})
	}
	day, failed := timeParameter(values, "day", s.options.Now().UTC())
	if failed != nil {
		return invalid([]FieldError{*failed})
	}
	list, err := s.options.Usage.Dynamics(c.Request().Context(), q.tenant, parent, day, q.cursor, q.limit)
	if err != nil {
		return err
	}
	type row struct {
		ID   string `json:"id"`
		Code string `json:"code"`
		amounts
	}
	answer := struct {
		Parent  string `json:"parent"`
		Day     string `json:"day"`
		Workers []row  `json:"dynamic_workers"`
		Next    string `json:"next_cursor,omitempty"`
	}{Parent: parent, Day: day.Format(time.DateOnly), Workers: []row{}}
	ids := 0
	for i := range list {
		if i == 0 || list[i].ID != list[i-1].ID {
			ids++
		}
		answer.Workers = append(answer.Workers, row{list[i].ID, list[i].Code, amountsOf(&list[i].Amounts)})
	}
	if ids == q.limit {
		answer.Next = list[len(list)-1].ID
	}
	b, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return writeJSON(c.Response(), http.StatusOK, b)
}
