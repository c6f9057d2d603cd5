package project

import (
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// pathKey makes a key of a map of the names that lead to a value.
func pathKey(path []string) string { return strings.Join(path, "\x00") }

// locate finds the lines of the keys and elements of a TOML document, by the
// path that leads there, numbers for elements. The document has been parsed
// without error, which is why this is simple: the library doesn't say where its
// values were.
func locate(text string) map[string]int {
	l := &tomlScan{text: text, line: 1, places: map[string]int{}, counts: map[string]int{}}
	for !l.end() {
		l.blank(true)
		switch {
		case l.end():
		case strings.HasPrefix(l.rest(), "[["):
			l.at += 2
			path := l.resolve(l.key())
			name := pathKey(path)
			line := l.line
			l.mark(path, line)
			l.table = append(path, strconv.Itoa(l.counts[name]))
			l.counts[name]++
			l.mark(l.table, line)
			l.skipLine()
		case l.peek() == '[':
			l.at++
			l.table = l.resolve(l.key())
			l.mark(l.table, l.line)
			l.skipLine()
		default:
			l.pair(l.table, 0)
			l.skipLine()
		}
	}
	return l.places
}

// tomlScan walks over a document.
type tomlScan struct {
	text   string
	at     int
	line   int
	table  []string
	places map[string]int
	counts map[string]int // elements of arrays of tables so far
}

func (l *tomlScan) end() bool    { return l.at >= len(l.text) }
func (l *tomlScan) rest() string { return l.text[min(l.at, len(l.text)):] }

func (l *tomlScan) peek() byte {
	if l.end() {
		return 0
	}
	return l.text[l.at]
}

func (l *tomlScan) next() {
	if l.peek() == '\n' {
		l.line++
	}
	l.at++
}

// mark remembers the first line of a path and of what leads there.
func (l *tomlScan) mark(path []string, line int) {
	for i := len(path); i > 0; i-- {
		key := pathKey(path[:i])
		if l.places[key] != 0 {
			return
		}
		l.places[key] = line
	}
}

// resolve leads a table's name into the last elements of arrays of tables.
func (l *tomlScan) resolve(name []string) []string {
	var path []string
	for i, part := range name {
		path = append(path, part)
		if n := l.counts[pathKey(path)]; n > 0 && i < len(name)-1 {
			path = append(path, strconv.Itoa(n-1))
		}
	}
	return path
}

// blank skips what has no meaning; lines ends too if it may.
func (l *tomlScan) blank(lines bool) {
	for !l.end() {
		switch c := l.peek(); {
		case c == ' ' || c == '\t' || c == '\r', c == '\n' && lines:
			l.next()
		case c == '#' && lines:
			for !l.end() && l.peek() != '\n' {
				l.next()
			}
		default:
			return
		}
	}
}

func (l *tomlScan) skipLine() {
	for !l.end() && l.peek() != '\n' {
		l.next()
	}
}

// key reads a dotted key.
func (l *tomlScan) key() (path []string) {
	for {
		l.blank(false)
		begin := l.at
		switch c := l.peek(); c {
		case '"', '\'':
			l.quoted(c)
			path = append(path, unquote(l.text[begin:min(l.at, len(l.text))]))
		default:
			for !l.end() && !strings.ContainsRune(" \t.=]\n\r", rune(l.peek())) {
				l.at++
			}
			path = append(path, l.text[begin:l.at])
		}
		l.blank(false)
		if l.peek() != '.' {
			return path
		}
		l.at++
	}
}

// unquote is the text of a quoted key.
func unquote(quoted string) string {
	var v struct{ K string }
	if _, err := toml.Decode("K = "+quoted, &v); err != nil {
		return strings.Trim(quoted, `"'`)
	}
	return v.K
}

// pair reads a key and its value.
func (l *tomlScan) pair(table []string, depth int) {
	line := l.line
	begin := l.at
	path := append(table[:len(table):len(table)], l.key()...)
	l.mark(path, line)
	if l.peek() == '=' {
		l.at++
		l.blank(false)
		l.value(path, depth)
	}
	if l.at == begin {
		l.next() // never stand still
	}
}

func (l *tomlScan) value(path []string, depth int) {
	if depth > 16*maxDepth {
		l.at = len(l.text)
		return
	}
	switch c := l.peek(); c {
	case '"', '\'':
		l.quoted(c)
	case '[':
		l.next()
		for i := 0; ; i++ {
			l.blank(true)
			if l.end() || l.peek() == ']' {
				l.at++
				return
			}
			item := append(path[:len(path):len(path)], strconv.Itoa(i))
			l.mark(item, l.line)
			begin := l.at
			l.value(item, depth+1)
			l.blank(true)
			if l.peek() == ',' || l.at == begin {
				l.next()
			}
		}
	case '{':
		l.next()
		for {
			l.blank(true)
			if l.end() || l.peek() == '}' {
				l.at++
				return
			}
			l.pair(path, depth+1)
			l.blank(true)
			if l.peek() == ',' {
				l.next()
			}
		}
	default:
		for !l.end() && !strings.ContainsRune(",]}#\n", rune(l.peek())) {
			l.at++
		}
	}
}

// quoted skips a string of either kind of quotes, on one line or several.
func (l *tomlScan) quoted(quote byte) {
	end := string(quote)
	if long := strings.Repeat(end, 3); strings.HasPrefix(l.rest(), long) {
		end = long
	}
	l.at += len(end)
	for !l.end() && !strings.HasPrefix(l.rest(), end) {
		if quote == '"' && l.peek() == '\\' {
			l.next()
		}
		l.next()
	}
	l.at += len(end)
	if len(end) == 3 { // up to two more belong to the text
		for i := 0; i < 2 && l.peek() == quote; i++ {
			l.at++
		}
	}
}
