package wasi

import "context"

// outputPiece is how much of an output is copied out of the guest at a time.
const outputPiece = 16 << 10

// isOpen is for the three descriptors there are: input, output and error.
func (s *System) isOpen(fd uint64) bool { return fd < 3 && !s.closed[fd] }

func (s *System) fdClose(_ context.Context, _ guest, args []uint64) Errno {
	if !s.isOpen(args[0]) {
		return eBadf
	}
	s.closed[args[0]] = true
	return ok
}

// fdFdstatGet describes a pipe: a character device would make a libc ask for
// terminal sizes.
func (s *System) fdFdstatGet(_ context.Context, g guest, args []uint64) Errno {
	if !s.isOpen(args[0]) {
		return eBadf
	}
	const rightRead, rightWrite = 1 << 1, 1 << 6
	stat := make([]byte, 24) // file type 0 is "unknown", which is what a pipe has
	if args[0] == 0 {
		stat[8] = rightRead
	} else {
		stat[8] = rightWrite
	}
	return g.bytes(args[1], stat)
}

func (s *System) fdSeek(_ context.Context, _ guest, args []uint64) Errno {
	if !s.isOpen(args[0]) {
		return eBadf
	}
	return eSPipe
}

// fdRead is the end of file, for standard input.
func (s *System) fdRead(_ context.Context, g guest, args []uint64) Errno {
	if args[0] != 0 || !s.isOpen(0) {
		return eBadf
	}
	return g.u32(args[3], 0)
}

func (s *System) fdWrite(ctx context.Context, g guest, args []uint64) Errno {
	fd := args[0]
	if fd == 0 || !s.isOpen(fd) {
		return eBadf
	}
	vectors, errno := g.vectors(args[1], args[2])
	if errno != ok {
		return errno
	}
	if !g.holds(args[3], 4) {
		return eFault
	}
	total := uint64(0)
	for _, v := range vectors {
		total += v.length
		for v.length > 0 {
			if ctx.Err() != nil {
				return eCanceled
			}
			n := min(v.length, outputPiece)
			piece, fits := g.memory.Read(v.offset, n)
			if !fits {
				return eFault
			}
			s.write(Stream(fd), piece)
			v.offset += n
			v.length -= n
		}
	}
	return g.u32(args[3], uint32(total))
}
