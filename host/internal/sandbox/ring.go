package sandbox

import (
	"os"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/ringfence/ringfence/host/internal/launch"
	"github.com/ringfence/ringfence/host/internal/transport/ringcall"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/shmchan"
)

// ring is the memory of a channel, and the host's end of it.
type ring struct {
	shape    ringwire.Shape
	channel  *shmchan.Channel
	offer    *shmchan.Offer // until the process has the files
	pressure *ringcall.Pressure
}

// newRing makes the memory. alive is closed when the process has died.
func newRing(limits Ring, shape ringwire.Shape, alive <-chan struct{}, growth ringcall.Growth) (*ring, error) {
	growth.Shape, growth.Largest = shape, limits.Largest
	r := &ring{shape: shape, pressure: ringcall.NewPressure(growth)}
	config := shape.Config()
	config.Alive, config.OnFill = alive, r.pressure.Fill
	config.Limits = shmchan.Limits{Bytes: int64(limits.Rate), Messages: maxMessages, Wakes: maxWakes}
	var err error
	if r.offer, err = shmchan.Create(config); err != nil {
		return nil, err
	}
	r.channel = r.offer.Channel()
	return r, nil
}

// given lets go of the files, when the process has them.
func (r *ring) given() { _ = r.offer.Close() }

// growth says how a channel grows: what is logged, and what status shows of it.
func (s *Sandbox) growth(log hclog.Logger, plugin string) ringcall.Growth {
	log = log.With("plugin", plugin)
	return ringcall.Growth{
		Grown: func(ring, capabilities uint64, windows bool) {
			s.windows.Store(windows)
			log.Info("a ring stayed full; calls go over larger ones now", "bytes", ring, "capabilities", capabilities)
		},
		Alert: func(why string) {
			// The log hears of it once, status counts.
			if before := s.crowded.Swap(&why); before == nil || *before != why {
				log.Warn("a ring stays full and does not grow", "why", why)
			}
		},
	}
}

const noMemory = "this system does not give the memory for it: "

// sendRing makes a ring and sends its memory over the process's channel, or says
// why there is none.
func (s *Sandbox) sendRing(plan Plan) (_ *ring, why string) {
	socket := s.process.Channel()
	if socket == nil {
		return nil, "the plugin was started without the socket for it"
	}
	growth := s.growth(s.log, plan.Plugin)
	growth.Send = func(o *shmchan.Offer) error { return socket.Send(o.Files()) }
	r, err := newRing(plan.Ring, plan.Ring.shape(), socket.Gone(), growth)
	if err != nil {
		return nil, noMemory + err.Error()
	}
	defer r.given()
	if err := socket.Send(r.offer.Files()); err != nil {
		_ = r.channel.Close()
		return nil, "its memory could not be handed over: " + err.Error()
	}
	return r, ""
}

// rings is what a native plugin's processes have shown about rings.
type rings struct {
	mu sync.Mutex
	// none says that the plugin knows of no ring, so that no memory is made for it.
	none bool
	// size is how large the next process's rings are: those of one do not grow while
	// it runs, since the filter lets it map no memory but that which it began with.
	size ringwire.Shape
}

func (r *rings) next(first ringwire.Shape) (shape ringwire.Shape, none bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size.Ring != 0 {
		first.Ring, first.Capabilities = r.size.Ring, r.size.Capabilities
	}
	return first, r.none
}

func (r *rings) grow(to ringwire.Shape) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.size = to
}

// bringRing makes a ring whose memory a native plugin's process has from its start
// on, under numbers that its filter knows. The process is not there yet, so s.gone
// stands for its life.
func (f *Factory) bringRing(s *Sandbox, spec *launch.Spec, plan Plan) {
	shape, none := f.rings.next(plan.Ring.shape())
	if none {
		return
	}
	growth := s.growth(f.Logger, plan.Plugin)
	growth.Later = f.rings.grow
	r, err := newRing(plan.Ring, shape, s.gone, growth)
	if err != nil {
		s.reason = noMemory + err.Error()
		return
	}
	files := r.offer.Files()
	spec.Files = map[int]*os.File{pluginkit.RingOutFD: files[0], pluginkit.RingInFD: files[1]}
	s.ring = r
}

// withoutRing lets go of memory that is not used, and makes none for the next
// process of a plugin that knows of none.
func (f *Factory) withoutRing(s *Sandbox) {
	if s.ring == nil {
		return
	}
	_ = s.ring.channel.Close()
	if s.unaware {
		f.rings.mu.Lock()
		defer f.rings.mu.Unlock()
		f.rings.none = true
	}
}
