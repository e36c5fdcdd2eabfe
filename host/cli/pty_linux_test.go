package cli_test

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// onTerminal runs a command with a terminal for standard output and returns what
// reached it.
func (d *deployment) onTerminal(args ...string) string {
	d.t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		d.t.Skipf("no terminals here: %v", err)
	}
	defer master.Close()
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		d.t.Skipf("no terminals here: %v", err)
	}
	cmd := d.command(args...)
	cmd.Stdout, cmd.Stderr = terminal, terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	printed := make(chan string)
	go func() {
		b, _ := io.ReadAll(master) // ends with EIO when nobody holds the terminal
		printed <- string(b)
	}()
	err = cmd.Run()
	terminal.Close()
	text := <-printed
	if err != nil {
		d.t.Errorf("%v: %v\n%q", args, err, text)
	}
	return text
}

// JSON lets control characters beyond ASCII and direction marks stand as they
// are. U+009B is to a terminal what ESC [ is.
func TestNoOutputSteersTheTerminal(t *testing.T) {
	d := deploy(t, `
ringfence {
  state_dir = "STATE"
}
plugin "jq" {
  source = "TOOLS/jq.wasm"
}
`)
	const hostile = `{"program":"\"\\u009b2J\\u202eevil\\u0085\\u007f\\ue000\"","input":null}`
	for _, flags := range [][]string{nil, {"--raw"}, {"--json"}, {"--json", "--raw"}, {"-v"}} {
		got := d.onTerminal(append([]string{"call", "jq.run", hostile}, flags...)...)
		if i := strings.IndexFunc(got, func(r rune) bool {
			return r < ' ' && r != '\n' && r != '\r' || r >= 0x7f && r < 0xa0 || r == '\u202e' || r == '\ue000'
		}); i >= 0 {
			t.Errorf("%v: it printed %q", flags, got[i:])
		}
		if !strings.Contains(got, `\u009b2J\u202eevil`) {
			t.Errorf("%v: it printed %q", flags, got)
		}
	}
}
