package main

import (
	"time"

	"mayfly/host/worker"
)

// workerLimits bound what deployed and dynamic workers may take.
type workerLimits struct {
	WorkerMaxCPU         time.Duration `help:"Processor time that an event of a worker may take at most, whatever it was deployed with; 0: what that says." default:"0" env:"MAYFLY_WORKER_MAX_CPU"`
	WorkerMaxWall        time.Duration `help:"The same of its wall time." default:"0" env:"MAYFLY_WORKER_MAX_WALL"`
	WorkerMaxMemory      size          `help:"The same of the memory of an isolate." default:"0" env:"MAYFLY_WORKER_MAX_MEMORY"`
	WorkerMaxSubrequests int           `help:"The same of its subrequests." default:"0" env:"MAYFLY_WORKER_MAX_SUBREQUESTS"`
	WorkerCodeMemory     size          `help:"Memory for the states of evaluated code that no worker uses at the moment; past it those not used for longest are evaluated again." default:"512MiB" env:"MAYFLY_WORKER_CODE_MEMORY"`
}

// caps are the highest limits that a worker may have.
func (s *workerLimits) caps() worker.Limits {
	return worker.Limits{CPU: s.WorkerMaxCPU, Wall: s.WorkerMaxWall, MemoryBytes: int64(s.WorkerMaxMemory), Subrequests: s.WorkerMaxSubrequests}
}
