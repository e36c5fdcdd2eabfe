package seccomp

import "testing"

// What is mapped shared is the ring, which is what is under two numbers; so nothing
// else may ever be.
func TestNothingTakesTheRingsPlace(t *testing.T) {
	for _, profile := range []Profile{Native, WASM} {
		both := []judged{
			{"the ring", "mmap", args(0, 4096, protRead, mapShared, RingOutFD), Allow, Allow},
			{"the ring", "mmap", args(0, 4096, protRead|protWrite, mapShared, RingInFD), Allow, Allow},
			{"the ring as code", "mmap", args(0, 4096, protRead|protExec, mapShared, RingInFD), Kill, Kill},
			{"another file", "mmap", args(0, 4096, protRead|protWrite, mapShared, RingInFD+1), Kill, Kill},
			{"another file, for reading", "mmap", args(0, 4096, protRead, mapShared, RingOutFD-1), Kill, Kill},
			{"a number that is one in its lower half", "mmap", args(0, 4096, protRead|protWrite, mapShared, high|RingInFD), Kill, Kill},
			{"memory of nobody", "mmap", args(0, 4096, protRead|protWrite, mapShared|mapAnonymous, RingInFD), Kill, Kill},
			{"closing it", "close", args(RingOutFD), Refuse(EPERM), Refuse(EPERM)},
			{"closing it", "close", args(RingInFD), Refuse(EPERM), Refuse(EPERM)},
			{"closing it, with a number of 64 bits", "close", args(high | RingInFD), Refuse(EPERM), Refuse(EPERM)},
			{"closing another", "close", args(RingInFD + 1), Allow, Allow},
			{"closing many", "close_range", args(3, 63), Kill, Kill},
			{"closing it at an execution", "fcntl", args(RingInFD, fSetFD, 1), Kill, Kill},
			{"closing it at an execution", "fcntl", args(RingOutFD, fSetFD, 1), Kill, Kill},
			{"closing it at an execution, with a number of 64 bits", "fcntl", args(high|RingOutFD, fSetFD, 1), Kill, Kill},
			{"its seals", "fcntl", args(RingInFD, fGetSeals), Allow, Allow},
			{"a copy", "fcntl", args(RingInFD, fDupFDCloexec), Allow, Allow},
			{"another's table", "unshare", args(0x400), Kill, Kill},
			{"a thread with a table of its own", "clone", args(cloneThreadGo &^ 0x400), Kill, Kill},
			{"taking it over", "pidfd_getfd", nil, Kill, Kill},
		}
		for fd := uint64(0); fd < 64; fd++ {
			if fd != RingOutFD && fd != RingInFD {
				both = append(both, judged{"another is closed at an execution", "fcntl", args(fd, fSetFD, 1), Allow, Allow})
			}
		}
		if profile == Native {
			both = append(both, []judged{
				{"in its place", "dup2", args(9, RingInFD), Refuse(EPERM), Refuse(EPERM)},
				{"in its place", "dup2", args(9, RingOutFD), Refuse(EPERM), Refuse(EPERM)},
				{"in its place", "dup3", args(9, RingOutFD), Refuse(EPERM), Refuse(EPERM)},
				{"in its place, with a number of 64 bits", "dup3", args(9, high|RingOutFD), Refuse(EPERM), Refuse(EPERM)},
				{"elsewhere", "dup2", args(RingInFD, 9), Allow, Allow},
				{"elsewhere", "dup3", args(RingInFD, 9), Allow, Allow},
			}...)
		}
		judge(t, profile, Params{PID: self, ExecFD: 9, Ring: true}, both)
	}
}
