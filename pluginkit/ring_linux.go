package pluginkit

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/shmchan"
)

// ringFiles are the descriptors of the ring's memory. They are never closed, and
// nothing could be put in their place: see seccomp.RingOutFD.
var ringFiles = sync.OnceValue(func() [2]*os.File {
	return [2]*os.File{os.NewFile(RingOutFD, "ring, host to plugin"), os.NewFile(RingInFD, "ring, plugin to host")}
})

// inheritedRing says how to attach to the ring that came with the process; nil
// when none did.
func inheritedRing() attacher {
	for _, fd := range []uintptr{RingOutFD, RingInFD} {
		if _, err := unix.FcntlInt(fd, unix.F_GET_SEALS, 0); err != nil {
			return nil // no memory file: there is none, or the number is another file's
		}
	}
	return func(shape ringwire.Shape) (*shmchan.Channel, error) {
		shape.NoSpin = os.Getenv(ringwire.NoSpinEnv) != ""
		return shmchan.Attach(ringFiles(), shape.Config())
	}
}
