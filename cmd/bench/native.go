package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"mayfly/guests/quickjs"
)

// nativeFlags are how the native interpreter is compiled.
var nativeFlags = []string{"-O2", "-DNDEBUG", "-D_GNU_SOURCE", "-std=gnu11"}

// nativeInterpreter is QuickJS as a native program, built by the system's C
// compiler from the source of the guest; built says by which.
func (b *bench) nativeInterpreter(ctx context.Context) (program, built string, err error) {
	var compiler string
	for _, name := range []string{"gcc", "clang", "cc"} {
		if compiler, err = exec.LookPath(name); err == nil {
			break
		}
	}
	if err != nil {
		return "", "", errors.New("a C compiler is needed to build QuickJS natively: gcc, clang or cc")
	}
	version, err := exec.CommandContext(ctx, compiler, "--version").Output()
	if err != nil {
		return "", "", err
	}
	firstLine, _, _ := strings.Cut(string(version), "\n")
	source, err := quickjs.Source(ctx, b.cache, b.preparing)
	if err != nil {
		return "", "", err
	}
	entry, err := os.ReadFile(filepath.Join(inputs, "native", "main.c"))
	if err != nil {
		return "", "", err
	}
	folder := filepath.Join(b.cache, "bench", "native-"+digestOf(version, []byte(source), []byte(strings.Join(nativeFlags, " ")), entry))
	program = filepath.Join(folder, "quickjs")
	built = firstLine + " " + nativeFlags[0]
	if _, err := os.Stat(program); err == nil {
		return program, built, nil
	}
	b.say("  building QuickJS natively with %s", built)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", "", err
	}
	args := append([]string{"-I", source, "-o", program + ".new", filepath.Join(inputs, "native", "main.c")}, nativeFlags...)
	for _, name := range []string{"quickjs.c", "libregexp.c", "libunicode.c", "dtoa.c"} {
		args = append(args, filepath.Join(source, name))
	}
	command := exec.CommandContext(ctx, compiler, append(args, "-lm", "-lpthread")...)
	if out, err := command.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("building QuickJS natively: %w: %s", err, out)
	}
	return program, built, os.Rename(program+".new", program)
}

// digestOf names what depends on some texts.
func digestOf(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d\n", len(p))
		h.Write(p)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// runNative runs a script once: its result and the processor time it took.
func runNative(ctx context.Context, program, script string) (result string, cpu time.Duration, err error) {
	var out, failure bytes.Buffer
	command := exec.CommandContext(ctx, program, script, "1")
	command.Stdout, command.Stderr = &out, &failure
	if err := command.Run(); err != nil {
		return "", 0, fmt.Errorf("native QuickJS: %w: %s", err, failure.String())
	}
	text, result, ok := strings.Cut(strings.TrimSuffix(out.String(), "\n"), "\t")
	ns, err := strconv.ParseInt(text, 10, 64)
	if err != nil || !ok {
		return "", 0, fmt.Errorf("native QuickJS printed %q", out.String())
	}
	return result, time.Duration(ns), nil
}
