package attack

// int80 makes a system call without arguments by the gate of 32-bit programs.
func int80(number uint64) int64

// getpid32 is getpid by its 32-bit number, which on 64 bits is writev.
func getpid32() (int64, bool) { return int80(20), true }
