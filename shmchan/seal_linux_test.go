package shmchan

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func init() { roles["write-what-is-not-ours"] = writeWhatIsNotOurs }

// writeWhatIsNotOurs is an attacher that tries every way to write the creator's
// memory or to take it away.
func writeWhatIsNotOurs() error {
	files := inheritedFiles()
	fd := int(files[0].Fd())
	size := 4096
	tries := []struct {
		name string
		try  func() error
	}{
		{"mmap writable", func() error {
			_, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			return err
		}},
		{"mprotect", func() error {
			m, err := unix.Mmap(fd, 0, size, unix.PROT_READ, unix.MAP_SHARED)
			if err != nil {
				return nil // the try itself must be possible
			}
			return unix.Mprotect(m, unix.PROT_READ|unix.PROT_WRITE)
		}},
		{"shrink", func() error { return unix.Ftruncate(fd, 0) }},
		{"grow", func() error { return unix.Ftruncate(fd, 1<<30) }},
		{"punch a hole", func() error {
			return unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 4096)
		}},
		{"pwrite", func() error { _, err := unix.Pwrite(fd, []byte{1}, 0); return err }},
		{"more seals", func() error {
			_, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_WRITE)
			return err
		}},
		{"reopen through /proc and map", func() error {
			again, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd), os.O_RDWR, 0)
			if err != nil {
				return err
			}
			defer again.Close()
			_, err = unix.Mmap(int(again.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			return err
		}},
		{"shrink our own", func() error { return unix.Ftruncate(int(files[1].Fd()), 0) }},
	}
	for _, tt := range tries {
		if tt.try() == nil {
			return fmt.Errorf("%s was allowed", tt.name)
		}
	}
	return nil
}

func TestTheKernelRefusesTheSecondWriter(t *testing.T) {
	o := newOffer(t, smallConfig())
	finishRole(t, startRole(t, "write-what-is-not-ours", o.Files()))
}

// Files that are not what was agreed are refused before they are mapped.
func TestAttachVerifies(t *testing.T) {
	plain := func(size int64, seals int) *os.File {
		fd, err := unix.MemfdCreate("forged", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
		must(t, err)
		f := os.NewFile(uintptr(fd), "forged")
		t.Cleanup(func() { _ = f.Close() })
		must(t, unix.Ftruncate(fd, size))
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
		must(t, err)
		return f
	}
	config := smallConfig()
	g, err := config.geometry()
	must(t, err)
	disk, err := os.CreateTemp(t.TempDir(), "")
	must(t, err)
	defer disk.Close()
	must(t, disk.Truncate(g.outSize))
	good := newOffer(t, config).Files()
	tests := []struct {
		name    string
		out, in *os.File
	}{
		{"swapped", good[1], good[0]},
		{"one file twice", good[0], good[0]},
		{"no seals", plain(g.outSize, 0), good[1]},
		{"no shrink seal", plain(g.outSize, sealsCreator&^unix.F_SEAL_SHRINK), good[1]},
		{"no future-write seal", plain(g.outSize, sealsAttacher), good[1]},
		{"not sealed for good", plain(g.outSize, sealsCreator&^unix.F_SEAL_SEAL), good[1]},
		{"too small", plain(g.outSize-4096, sealsCreator), good[1]},
		{"empty header", plain(g.outSize, sealsCreator), good[1]},
		{"second one unsealed", good[0], plain(g.inSize, 0)},
		{"a file on disk", disk, good[1]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Attach([2]*os.File{tt.out, tt.in}, config); !errors.Is(err, ErrViolation) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestHugePagesOrHonestlyNot(t *testing.T) {
	config := smallConfig()
	config.HugePages = true
	o := newOffer(t, config)
	b, err := Attach([2]*os.File(o.Files()), config)
	must(t, err)
	defer b.Close()
	ctx := within(t, 5e9)
	must(t, o.Channel().Lane(0).Producer().Send(ctx, Header{}, []byte("x")))
	_, _, err = b.Lane(0).Consumer().Recv(ctx, nil)
	must(t, err)
	t.Logf("huge pages: %v", o.Channel().Stats().HugePages)
}

// The peer takes the pages of its own file away: whatever is read then, it is a
// typed error and not a crash.
func TestPunchedPages(t *testing.T) {
	o := newOffer(t, smallConfig())
	b, err := Attach([2]*os.File(o.Files()), smallConfig())
	must(t, err)
	defer b.Close()
	ctx := within(t, 5e9)
	must(t, b.Lane(0).Producer().Send(ctx, Header{}, make([]byte, 1000)))
	c := o.Channel().Lane(0).Consumer()
	f, err := c.Peek(ctx)
	must(t, err)
	must(t, unix.Fallocate(int(o.Files()[1].Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, int64(len(b.pair.out.mem))))
	if _, err := f.CopyTo(make([]byte, 1000)); err != nil && !errors.Is(err, ErrViolation) {
		t.Fatal(err)
	}
	// Linux fills a hole with zeros when it is read: the counters have then
	// stepped back, and that is what ends the channel.
	if _, err := c.Peek(ctx); !errors.Is(err, ErrViolation) {
		t.Fatalf("after the control page was punched out: %v", err)
	}
}
