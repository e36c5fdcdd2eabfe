package escape

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ringfence/ringfence/internal/orders"
)

// Everything once more as somebody who may do nothing special.
func TestAsOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this is it")
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("", "escape") // short: paths of sockets lie below
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	test, own := filepath.Join(dir, "escape.test"), filepath.Join(dir, "t")
	trampoline, sandbox, libraries := programs(t)
	for from, to := range map[string]string{
		os.Args[0]: test, trampoline: filepath.Join(dir, orders.Trampoline), sandbox: filepath.Join(dir, program),
		filepath.Join(libraries, "libwasmer.so"): filepath.Join(dir, "libwasmer.so"),
	} {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(own, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(own, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(test, "-test.v", "-test.timeout=15m")
	cmd.Dir = own
	cmd.Env = []string{binaries + "=" + dir, "TMPDIR=" + own, "HOME=" + own, "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("as uid %d: %v\n%s", nobody, err, out)
	}
	t.Logf("%d passed, %d skipped", bytes.Count(out, []byte("--- PASS")), bytes.Count(out, []byte("--- SKIP")))
}
