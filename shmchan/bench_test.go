package shmchan

import (
	"context"
	"testing"
)

// BenchmarkOverhead is what the code of a message costs, with no other
// processor to wait for.
func BenchmarkOverhead(b *testing.B) {
	b.Run("in place", func(b *testing.B) {
		x, y := newPipe(b, Config{})
		ctx := context.Background()
		p, c := x.Lane(0).Producer(), y.Lane(0).Consumer()
		b.ReportAllocs()
		for b.Loop() {
			r, _ := p.Reserve(ctx, 64)
			_ = r.Commit(Header{})
			f, _ := c.Peek(ctx)
			_ = f.Release()
		}
	})
	b.Run("copied", func(b *testing.B) {
		x, y := newPipe(b, Config{})
		ctx := context.Background()
		p, c := x.Lane(0).Producer(), y.Lane(0).Consumer()
		msg, buf := make([]byte, 64), make([]byte, 64)
		b.ReportAllocs()
		for b.Loop() {
			_ = p.Send(ctx, Header{}, msg)
			_, buf, _ = c.Recv(ctx, buf)
		}
	})
}
