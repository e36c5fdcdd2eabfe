package cli_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

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
		got := onTerminal(t, 0, d.command(append([]string{"call", "jq.run", hostile}, flags...)...))
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

func TestATerminalSeesProgressAndNoControlCharacters(t *testing.T) {
	d := deploy(t, simple)
	dropCache(t, d)
	const hostile = "\u009b2J\u202e"
	args := []string{"call", "jq.run", `{"program": ".", "input": "` + hostile + `"}`}
	shown := onTerminal(t, 0, d.command(args...))
	for _, want := range []string{"compiling jq", "once: ", "compiled jq", `\u009b2J\u202e`} {
		if !strings.Contains(shown, want) {
			t.Errorf("the terminal does not show %q:\n%q", want, shown)
		}
	}
	if strings.ContainsAny(shown, hostile[:2]+hostile[4:]) {
		t.Errorf("control characters of a result reached the terminal: %q", shown)
	}
	// In a pipe, a result is the tool's, byte for byte.
	var got struct{ Outputs []string }
	if out := d.run(args...); json.Unmarshal([]byte(out.stdout), &got) != nil || got.Outputs[0] != hostile || !strings.Contains(out.stdout, hostile) {
		t.Errorf("%+v", out)
	}
}

// What moves on a narrow terminal must stay on one row: the rest of a longer
// line would be left behind ten times a second.
func TestProgressFitsANarrowTerminal(t *testing.T) {
	d := deploy(t, simple)
	dropCache(t, d)
	const columns = 30
	shown := onTerminal(t, columns, d.command("cache", "warm"))
	drawn := strings.Split(shown, "\r\x1b[K")
	if len(drawn) < 4 {
		t.Fatalf("no progress is shown: %q", shown)
	}
	for _, line := range drawn {
		if strings.HasPrefix(line, "  compiling") && len(line) >= columns {
			t.Errorf("%q has %d columns of %d", line, len(line), columns)
		}
	}
}

// onTerminal runs a command on a terminal of its own, of so many columns (0: it
// does not know), and returns all that it shows.
func onTerminal(t *testing.T, columns uint16, cmd *exec.Cmd) string {
	t.Helper()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	defer terminal.Close()
	if err := unix.IoctlSetPointerInt(int(terminal.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	far, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = far, far, far
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	far.Close()
	shown, err := io.ReadAll(terminal)
	if err != nil && !isEIO(err) { // EIO: nobody has the far end open any more
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, shown)
	}
	return string(shown)
}

func isEIO(err error) bool {
	pathError, ok := err.(*os.PathError)
	return ok && pathError.Err == unix.EIO
}
