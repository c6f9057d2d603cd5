package main

import (
	"log/slog"
	"path/filepath"
	"time"

	"mayfly/host/session"
	"mayfly/storage"
	"mayfly/storage/meta"
)

// sessionSettings are of sessions.
type sessionSettings struct {
	SessionMemory      size          `help:"Memory for the states of sessions; past it those not used for longest are on disk only." default:"512MiB" env:"MAYFLY_SESSION_MEMORY"`
	SessionsPerTenant  int           `help:"Sessions that a tenant may have." default:"1000" env:"MAYFLY_SESSIONS_PER_TENANT"`
	SessionIdleTimeout time.Duration `help:"How long sessions may go unused before they leave memory, if they don't say." default:"30m" env:"MAYFLY_SESSION_IDLE_TIMEOUT"`
	SessionKeep        time.Duration `help:"How long sessions are kept that nobody uses; 0: for ever." default:"168h" env:"MAYFLY_SESSION_KEEP"`
}

func (s *serverSettings) sessionConfig(h *host, records *meta.Store, objects storage.Objects, log *slog.Logger) session.Config {
	return session.Config{
		Executor: h.service, Records: records, Objects: objects, Folder: filepath.Join(s.Data, "sessions"),
		MemoryBudget: int64(s.SessionMemory), PerTenant: s.SessionsPerTenant,
		IdleTimeout: s.SessionIdleTimeout, Keep: s.SessionKeep, Log: log,
	}
}
