package pingpong

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ringfence/ringfence/shmchan"
)

// ring is a channel as a program gets it by default. We play the side that
// trusts nobody: we take private copies. The peer reads in place.
type ring struct {
	*child
	channel  *shmchan.Channel
	producer *shmchan.Producer
	consumer *shmchan.Consumer
	ack      [1]byte
}

const (
	spinning = 0  // the default: as long as it pays
	blocking = -1 // never
)

func ringConfig(spin time.Duration) shmchan.Config { return shmchan.Config{Spin: spin} }

func startRing(name string, spin time.Duration) func(int) (peer, error) {
	return func(size int) (peer, error) {
		dead := make(chan struct{})
		config := ringConfig(spin)
		config.Alive = dead
		offer, err := shmchan.Create(config)
		if err != nil {
			return nil, err
		}
		defer offer.Close()
		c, err := spawn(peerRole(name, size), offer.Files()...)
		if err != nil {
			_ = offer.Channel().Close()
			return nil, err
		}
		go func() {
			<-c.gone
			close(dead)
		}()
		lane := offer.Channel().Lane(0)
		return &ring{child: c, channel: offer.Channel(), producer: lane.Producer(), consumer: lane.Consumer()}, nil
	}
}

func (r *ring) roundTrip(msg, reply []byte) error {
	ctx := context.Background()
	if err := r.producer.Send(ctx, shmchan.Header{Kind: opEcho}, msg); err != nil {
		return err
	}
	_, got, err := r.consumer.Recv(ctx, reply)
	if err == nil && len(got) != len(msg) {
		return fmt.Errorf("an echo of %d bytes", len(got))
	}
	return err
}

func (r *ring) send(msg []byte) error {
	return r.producer.Send(context.Background(), shmchan.Header{Kind: opSink}, msg)
}

func (r *ring) sendLast(msg []byte) error {
	ctx := context.Background()
	if err := r.producer.Send(ctx, shmchan.Header{Kind: opAck}, msg); err != nil {
		return err
	}
	_, _, err := r.consumer.Recv(ctx, r.ack[:])
	return err
}

func (r *ring) echoed(reply []byte) []byte { return reply }

func (r *ring) close() error {
	_ = r.channel.Close()
	return r.end()
}

func serveRing(spin time.Duration) func(int) error {
	return func(size int) error {
		config := ringConfig(spin)
		channel, err := shmchan.Attach(inherited(), config)
		if err != nil {
			return err
		}
		s := ringServer{channel.Lane(0).Producer(), channel.Lane(0).Consumer(), make([]byte, size)}
		serve := s.inPlace
		if size > shmchan.DefaultData/2 {
			serve = s.assembled
		}
		if err := serve(); !errors.Is(err, shmchan.ErrPeerClosed) {
			return err
		}
		return nil
	}
}

type ringServer struct {
	producer *shmchan.Producer
	consumer *shmchan.Consumer
	buf      []byte
}

// inPlace serves messages of one frame.
func (s *ringServer) inPlace() error {
	ctx := context.Background()
	for {
		f, err := s.consumer.Peek(ctx)
		if err != nil {
			return err
		}
		switch f.Header().Kind {
		case opEcho:
			err = s.answer(f.Bytes())
		case opSink:
			copy(s.buf, f.Bytes())
		case opAck:
			copy(s.buf, f.Bytes())
			err = s.answer(s.buf[:1])
		}
		if err != nil {
			return err
		}
		if err := f.Release(); err != nil {
			return err
		}
	}
}

func (s *ringServer) answer(b []byte) error {
	r, err := s.producer.Reserve(context.Background(), len(b))
	if err != nil {
		return err
	}
	copy(r.Bytes(), b)
	return r.Commit(shmchan.Header{})
}

// assembled serves messages in fragments.
func (s *ringServer) assembled() error {
	ctx := context.Background()
	for {
		h, msg, err := s.consumer.Recv(ctx, s.buf)
		if err != nil {
			return err
		}
		switch h.Kind {
		case opEcho:
			err = s.producer.Send(ctx, shmchan.Header{}, msg)
		case opAck:
			err = s.producer.Send(ctx, shmchan.Header{}, msg[:1])
		}
		if err != nil {
			return err
		}
	}
}
