package seccomp

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write syscalls.txt and the tables in README.md")

var define = regexp.MustCompile(`(?m)^\s+SYS_(\w+)\s+= (\d+)$`)

// TestNumbers compares syscalls.txt with what golang.org/x/sys/unix has
// generated from the kernel's headers.
func TestNumbers(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[string]map[Arch]string{}
	for _, arch := range each {
		source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "unix", "zsysnum_linux_"+string(arch)+".go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range define.FindAllSubmatch(source, -1) {
			name := strings.ToLower(string(m[1]))
			if numbers[name] == nil {
				numbers[name] = map[Arch]string{AMD64: "-", ARM64: "-"}
			}
			numbers[name][arch] = string(m[2])
		}
	}
	var lines []string
	for name, n := range numbers {
		lines = append(lines, fmt.Sprintf("%s %s %s\n", name, n[AMD64], n[ARM64]))
	}
	slices.Sort(lines)
	golden(t, "syscalls.txt", syscalls, strings.Join(lines, ""))
}

func golden(t *testing.T, file, have, want string) {
	t.Helper()
	if have == want {
		return
	}
	if !*update {
		t.Fatalf("%s is out of date: run go test ./internal/seccomp -update", file)
	}
	if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		arch   Arch
		name   string
		number uint32
	}{
		{AMD64, "read", 0}, {ARM64, "read", 63}, {AMD64, "newfstatat", 262}, {ARM64, "newfstatat", 79},
		{AMD64, "futex_waitv", 449}, {ARM64, "futex_waitv", 449}, {AMD64, "seccomp", 317}, {ARM64, "seccomp", 277},
	} {
		if n, ok := c.arch.Number(c.name); !ok || n != c.number {
			t.Errorf("%s on %s: %d %v", c.name, c.arch, n, ok)
		}
		if name := c.arch.Name(c.number); name != c.name {
			t.Errorf("%d on %s: %s", c.number, c.arch, name)
		}
	}
	if name := AMD64.Name(9999); name != "syscall 9999" {
		t.Error(name)
	}
	if _, ok := ARM64.Number("open"); ok {
		t.Error("arm64 has open")
	}
}

// TestReadme keeps the tables of README.md those of the filters.
func TestReadme(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	head, _, found := strings.Cut(string(b), tablesBegin)
	if !found {
		t.Fatalf("no %q", tablesBegin)
	}
	text := head + tablesBegin
	for _, p := range []Profile{WASM, Native} {
		for _, stage := range []Stage{One, Two} {
			// The process's own number stands as 1, and a native plugin has a ring.
			table, err := p.Table(stage, Params{PID: 1, Ring: true})
			if err != nil {
				t.Fatal(err)
			}
			text += fmt.Sprintf("\n### `%s`, stage %d\n\n%s", p, stage, table.Markdown())
		}
	}
	table, err := WASM.Table(One, Params{PID: 1, ExecFD: 9, Ring: true})
	if err != nil {
		t.Fatal(err)
	}
	text += fmt.Sprintf("\n### `wasm`, stage 1, for a native plugin\n\nDescriptor 9 stands for the plugin's file.\n\n%s", table.Markdown())
	golden(t, "README.md", string(b), text)
}

const tablesBegin = "<!-- go test ./internal/seccomp -update writes what follows -->\n"
