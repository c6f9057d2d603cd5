package deployment

// Assets are a worker's static files, by path.
type Assets struct {
	Files            map[string]Asset `json:"files"`
	Binding          string           `json:"binding,omitempty"`
	HTMLHandling     string           `json:"html_handling,omitempty"`
	NotFoundHandling string           `json:"not_found_handling,omitempty"`
	RunWorkerFirst   any              `json:"run_worker_first,omitempty"` // true, or patterns of paths
}

// An Asset is one of them: its content was stored before, by its digest.
type Asset struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	Type   string `json:"type,omitempty"`
}
