package wasm

import "unicode/utf8"

// foreign is what a module imports besides functions, and what else only a
// module that a user brought may have. A nil one has nothing.
type foreign struct {
	imports []Extern // all imports in their order, functions included
	tables  []table
	memory  *memory
	globals []global // without init
	other   [][]byte // imports that aren't functions, encoded under their new names
	counted bool     // the data segments are announced
}

// linkModule is the module name under which a metered module imports whatever
// it imported, each by its place.
const linkModule = "import"

// parse reads the rest of an import.
func (f *foreign) parse(m *module, r *reader, module, name string, kind byte) {
	if !utf8.ValidString(module) || !utf8.ValidString(name) {
		malformed("the name of an import is no UTF-8")
	}
	if len(f.imports) >= maxImports {
		unsupported("more than %d imports", maxImports)
	}
	e := Extern{Module: module, Name: name, Kind: ExternKind(kind)}
	place := placeName(len(f.imports))
	start := r.p
	switch kind {
	case externFunction:
		typ := m.typeIndex(r)
		e.setFunction(m.types[typ])
		m.imports = append(m.imports, importedFunction{linkModule, place, typ})
	case externTable:
		t := r.table()
		e.setTable(t)
		f.tables = append(f.tables, t)
	case externMemory:
		if f.memory != nil {
			unsupported("2 memories")
		}
		f.memory = r.memory()
		e.setMemory(f.memory)
	case externGlobal:
		g := r.globalType()
		e.setGlobal(g)
		f.globals = append(f.globals, g)
	default:
		unsupported("import of kind %d", kind)
	}
	f.imports = append(f.imports, e)
	if kind != externFunction {
		b := append(appendName(appendName(nil, linkModule), place), kind)
		f.other = append(f.other, append(b, r.b[start:r.p]...))
	}
}

// count is how many of a kind other than functions are imported.
func (f *foreign) count(kind byte) int {
	switch {
	case f == nil:
		return 0
	case kind == externTable:
		return len(f.tables)
	case kind == externMemory && f.memory != nil:
		return 1
	case kind == externGlobal:
		return len(f.globals)
	}
	return 0
}

func (f *foreign) others() int {
	if f == nil {
		return 0
	}
	return len(f.other)
}

func (f *foreign) appendTo(b []byte, i int) []byte { return append(b, f.other[i]...) }
