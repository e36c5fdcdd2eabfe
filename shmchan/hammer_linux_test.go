package shmchan

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// hammerVariable is how many bytes TestHammer moves each way; `make hammer`
// sets it.
const hammerVariable = "SHMCHAN_HAMMER_BYTES"

const defaultHammer = 200 << 20

// roundVariable tells the other process what this round of a test is: numbers,
// separated by spaces.
const roundVariable = "SHMCHAN_TEST_ROUND"

func init() { roles["hammer"] = hammerPeer }

// TestHammer sends from both sides at once, by every operation, in random sizes
// from nothing to four rings full. Each byte is compared where it is read, again
// before it is given back, and at the end by a checksum over everything.
func TestHammer(t *testing.T) {
	total := int64(defaultHammer)
	if s := os.Getenv(hammerVariable); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		total = n
	}
	for _, mode := range []struct {
		name string
		spin time.Duration
	}{{"spinning", 0}, {"blocking", -1}} {
		t.Run(mode.name, func(t *testing.T) {
			h := hammer{seed: rand.Uint64() >> 1, bytes: total / 2, spin: mode.spin}
			t.Logf("seed %d, %d bytes each way", h.seed, h.bytes)
			offer, err := Create(h.config())
			must(t, err)
			defer offer.Channel().Close()
			peer := startRole(t, "hammer", offer.Files(), fmt.Sprintf("%s=%d %d %d", roundVariable, h.seed, h.bytes, h.spin))
			must(t, offer.Close())
			if err := h.run(offer.Channel(), 0); err != nil {
				t.Errorf("this process: %v", err)
			}
			finishRole(t, peer)
		})
	}
}

type hammer struct {
	seed  uint64
	bytes int64
	spin  time.Duration
}

func (h hammer) config() Config {
	return Config{Lanes: []LaneConfig{{Outbound: exerciseRing(), Inbound: exerciseRing()}}, Spin: h.spin, MessageTimeout: 10 * time.Second}
}

func hammerPeer() error {
	var h hammer
	if _, err := fmt.Sscan(os.Getenv(roundVariable), &h.seed, &h.bytes, &h.spin); err != nil {
		return err
	}
	c, err := Attach(inheritedFiles(), h.config())
	if err != nil {
		return err
	}
	defer c.Close()
	return h.run(c, 1)
}

// run sends and receives until both have seen the last message. side makes the
// two directions differ.
func (h hammer) run(c *Channel, side uint64) error {
	pool := newPool(h.seed)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	sent := make(chan error, 1)
	go func() {
		err := h.sendAll(ctx, newExercise(h.seed+side, pool, ignore), c.Lane(0).Producer())
		if err != nil {
			_ = c.fail(err) // or our receiver would wait for ever
		}
		sent <- err
	}()
	err := h.receiveAll(ctx, newExercise(h.seed+2+side, pool, ignore), c.Lane(0).Consumer())
	if err != nil {
		_ = c.fail(err)
	}
	return errors.Join(err, <-sent)
}

func ignore(activity) {}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sendAll ends with a message that holds the checksum of all before it.
func (h hammer) sendAll(ctx context.Context, x *exercise, p *Producer) error {
	sum := uint32(0)
	x.sending = func(b []byte) { sum = crc32.Update(sum, castagnoli, b) }
	for bytes := int64(0); bytes < h.bytes; {
		n, err := x.send(ctx, p)
		if err != nil {
			return fmt.Errorf("send message %d: %w", x.sent, err)
		}
		bytes += int64(n)
	}
	return p.Send(ctx, Header{Kind: kindLast, Call: x.sent}, binary.LittleEndian.AppendUint32(nil, sum))
}

func (h hammer) receiveAll(ctx context.Context, x *exercise, c *Consumer) error {
	var next, sum uint32
	for last := false; !last; {
		err := x.receive(ctx, c, func(header Header, b []byte) error {
			if header.Call != next {
				return fmt.Errorf("message %d where %d is due", header.Call, next)
			}
			next++
			if last = header.Kind == kindLast; !last {
				sum = crc32.Update(sum, castagnoli, b)
				return nil
			}
			if want := binary.LittleEndian.Uint32(b); want != sum {
				return fmt.Errorf("checksum of all messages %#x, sent %#x", sum, want)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("receive message %d: %w", next, err)
		}
	}
	return nil
}
