package cli_test

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A pipe that nobody reads must not end the host in the middle of a call: its
// sandbox and its run folder would stay behind.
func TestAReaderThatGoesAwayLeavesNothing(t *testing.T) {
	d := deploy(t, simple)
	cmd := d.command("call", "jq.run", `{"program": "[range(200000)]", "input": null}`)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReaderSize(out, 16).ReadString('\n'); err != nil || line != "{\n" {
		t.Fatalf("read %q, %v", line, err)
	}
	out.Close()
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 141 || stderr.Len() > 0 {
		t.Errorf("exit code %d, want 141; stderr %q, want nothing", code, stderr.String())
	}
	d.verifyNothingIsLeft()
}

func TestOutputThatCannotBeWrittenIsAnError(t *testing.T) {
	d := deploy(t, simple)
	for _, args := range [][]string{
		{"--help"}, {"version"}, {"version", "--json"}, {"validate"}, {"tools", "jq"}, {"cache", "list"},
		{"inspect", d.bin + "/tools/jq.wasm"}, {"call", "jq.run", `{"program": ".", "input": 1}`}, {"completion", "bash"},
	} {
		t.Run(strings.Join(args[:1], " "), func(t *testing.T) {
			full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			if err != nil {
				t.Skip("SKIPPED: no device that is always full: ", err)
			}
			defer full.Close()
			cmd := d.command(args...)
			var stderr strings.Builder
			cmd.Stdout, cmd.Stderr = full, &stderr
			cmd.Run()
			output{"", stderr.String(), cmd.ProcessState.ExitCode()}.wantLine(t, 2, "could not be written", "no space left")
		})
	}
}

func TestInterruptWhileArgumentsAreReadEndsTheCommand(t *testing.T) {
	d := deploy(t, simple)
	fifo := filepath.Join(d.dir, "arguments")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		argument string
		reads    func(stdin *os.File) bool // whether the command has begun to read
	}{
		"standard input": {"-", func(stdin *os.File) bool {
			unread, err := unix.IoctlGetInt(int(stdin.Fd()), unix.TIOCINQ) // FIONREAD by its other name
			return err == nil && unread == 0
		}},
		"a FIFO": {"@" + fifo, func(*os.File) bool {
			fd, err := unix.Open(fifo, unix.O_WRONLY|unix.O_NONBLOCK, 0) // ENXIO without a reader
			t.Cleanup(func() { unix.Close(fd) })
			return err == nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			stdin, ours, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer stdin.Close()
			defer ours.Close() // not before the command has ended: more could come
			if _, err := ours.WriteString("{"); err != nil {
				t.Fatal(err)
			}
			cmd := d.command("call", "jq.run", tt.argument)
			cmd.Stdin = stdin
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { cmd.Process.Kill() })
			eventually(t, "the command reads", func() bool { return tt.reads(stdin) })
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != 130 {
				t.Errorf("exit code %d, want 130", code)
			}
		})
	}
}
