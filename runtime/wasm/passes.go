package wasm

// Options choose the passes of [Rewrite]. The zero value only lifts data
// segments and drops custom sections.
type Options struct {
	// Fuel counts the guest's work down from this number and calls
	// env.yield: () → () when it is used up. 0: no metering.
	Fuel int32
	// MemoryPages declares the memory at exactly this many pages, minimum and
	// maximum, and makes memory.size and memory.grow virtual within it: they
	// work on the globals exported as GlobalPages and GlobalPagesLimit. 0:
	// the memory stays as it is.
	MemoryPages uint32
	// Exports lists globals to export by index, besides those of the passes.
	Exports map[string]uint32
}

// Names of the globals that the passes add and export.
const (
	GlobalFuel       = "mayfly_fuel"        // i32: what is left; yield is called at 0 or below
	GlobalPages      = "mayfly_pages"       // i32: what memory.size answers
	GlobalPagesLimit = "mayfly_pages_limit" // i32: memory.grow fails past it
)
